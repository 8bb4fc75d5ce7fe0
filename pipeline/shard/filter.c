/* This file calls nothing of HDF5: a host such as Python may have loaded HDF5 in a way
 * that hides its functions from plug-ins. */
#include "shard/filter.h"

#include <H5PLextern.h>
#include <stdlib.h>
#include <zstd.h>

/* Replace *buffer by `bytes` bytes at `fresh`. */
static size_t replace(void **buffer, size_t *buffer_size, void *fresh, size_t bytes)
{
    free(*buffer);
    *buffer = fresh;
    *buffer_size = bytes;
    return bytes;
}

static size_t compress_chunk(int level, size_t bytes, size_t *buffer_size, void **buffer)
{
    const size_t most = ZSTD_compressBound(bytes);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    void *frame = malloc(most);
    size_t n = 0;

    if (context != NULL && frame != NULL) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        /* Known to zstd's static interface as ZSTD_c_literalCompressionMode, 1: always.  Levels
         * below 0 would leave it out.  An older zstd may refuse, and shrink less. */
        ZSTD_CCtx_setParameter(context, ZSTD_c_experimentalParam5, 1);
        n = ZSTD_compress2(context, frame, most, *buffer, bytes);
    }
    ZSTD_freeCCtx(context);
    if (n == 0 || ZSTD_isError(n)) {
        free(frame);
        return 0;
    }
    return replace(buffer, buffer_size, frame, n);
}

static size_t decompress_chunk(size_t bytes, size_t *buffer_size, void **buffer)
{
    const unsigned long long size = ZSTD_getFrameContentSize(*buffer, bytes);
    void *chunk;
    size_t n;

    /* A frame that does not tell its size, or whose size was hit by a flipped bit. */
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > 1u << 31)
        return 0;
    chunk = malloc(size > 0 ? (size_t)size : 1);
    n = chunk == NULL ? 0 : ZSTD_decompress(chunk, (size_t)size, *buffer, bytes);
    if (chunk == NULL || n != size) {
        free(chunk);
        return 0;
    }
    return replace(buffer, buffer_size, chunk, n);
}

/* The filter function of HDF5's interface: 0 is failure. */
static size_t run_filter(unsigned flags, size_t parameters, const unsigned parameter[],
                         size_t bytes, size_t *buffer_size, void **buffer)
{
    if (flags & H5Z_FLAG_REVERSE)
        return decompress_chunk(bytes, buffer_size, buffer);
    return compress_chunk(parameters > 0 ? (int)parameter[0] : 1, bytes, buffer_size, buffer);
}

const H5Z_class2_t zstd_filter = {
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
    return &zstd_filter;
}
