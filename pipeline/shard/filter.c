/* This file calls no HDF5 function: a host such as Python may have loaded HDF5 in a way that hides
 * its functions from plug-ins. */
#include "shard/filter.h"
#include "shard/frame.h"

#include <H5PLextern.h>
#include <stdlib.h>

/* Replace *buffer by `fresh`, which holds `bytes` bytes. */
static size_t replace(void **buffer, size_t *buffer_size, void *fresh, size_t bytes)
{
    free(*buffer);
    *buffer = fresh;
    *buffer_size = bytes;
    return bytes;
}

/* Compress *buffer into a frame of its own.  Returns its bytes, or 0. */
static size_t compress_chunk(int level, size_t bytes, size_t *buffer_size, void **buffer)
{
    void *frame = malloc(frame_bound(bytes));
    const size_t n = frame == NULL ? 0 : frame_make(frame, *buffer, bytes, level);

    if (n == 0) {
        free(frame);
        return 0;
    }
    /* HDF5 keeps all frames of a call until the last one is made: return what this one does not
     * use. */
    void *fitted = realloc(frame, n);
    return replace(buffer, buffer_size, fitted != NULL ? fitted : frame, n);
}

/* Decompress the frame in *buffer.  Returns the bytes of the chunk, or 0. */
static size_t decompress_chunk(size_t bytes, size_t *buffer_size, void **buffer)
{
    void *chunk = NULL;
    size_t n = 0;

    if (frame_content(&n, *buffer, bytes))
        chunk = malloc(n > 0 ? n : 1);
    if (chunk == NULL || !frame_open(chunk, n, *buffer, bytes)) {
        free(chunk);
        return 0;
    }
    return replace(buffer, buffer_size, chunk, n);
}

/* The filter function as HDF5 calls it; 0 means failure. */
static size_t run_filter(unsigned flags, size_t parameters, const unsigned parameter[],
                         size_t bytes, size_t *buffer_size, void **buffer)
{
    if (flags & H5Z_FLAG_REVERSE)
        return decompress_chunk(bytes, buffer_size, buffer);
    return compress_chunk(parameters > 0 ? (int)parameter[0] : 1, bytes, buffer_size, buffer);
}

const H5Z_class2_t filter_zstd = {
    .version = H5Z_CLASS_T_VERS,
    .id = ZSTD_FILTER,
    .encoder_present = 1,
    .decoder_present = 1,
    .name = "zstd",
    .filter = run_filter,
};

H5PL_type_t H5PLget_plugin_type(void)
{
    return H5PL_TYPE_FILTER;
}

const void *H5PLget_plugin_info(void)
{
    return &filter_zstd;
}
