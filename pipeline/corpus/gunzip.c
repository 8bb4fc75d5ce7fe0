#include "corpus/gunzip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

enum { INPUT_BYTES = 1 << 17, GZIP_ONLY = 16 + MAX_WBITS };

struct gunzip {
    FILE    *compressed;
    z_stream stream;
    bool     inside;            /* in the middle of a member */
    unsigned char bytes[INPUT_BYTES];
};

/* Read function of the stream: as read(2), 0 at the end, -1 on an error. */
static ssize_t read_plain(void *cookie, char *buffer, size_t size)
{
    struct gunzip *from = cookie;
    z_stream *stream = &from->stream;
    const uInt most = size < INPUT_BYTES ? (uInt)size : INPUT_BYTES;

    stream->next_out = (Bytef *)buffer;
    stream->avail_out = most;
    while (stream->avail_out == most) {
        if (stream->avail_in == 0) {
            stream->next_in = from->bytes;
            stream->avail_in = (uInt)fread(from->bytes, 1, INPUT_BYTES, from->compressed);
        }
        if (stream->avail_in == 0 && !from->inside && !ferror(from->compressed))
            return 0;
        const int done = stream->avail_in == 0 ? Z_DATA_ERROR : inflate(stream, Z_NO_FLUSH);
        if (done != Z_OK && done != Z_STREAM_END) {
            errno = ferror(from->compressed) ? EIO : done == Z_MEM_ERROR ? ENOMEM : EBADMSG;
            return -1;
        }
        from->inside = done == Z_OK;
        if (done == Z_STREAM_END)
            inflateReset(stream);
    }
    return (ssize_t)(most - stream->avail_out);
}

static int close_plain(void *cookie)
{
    struct gunzip *from = cookie;

    inflateEnd(&from->stream);
    free(from);
    return 0;
}

FILE *gunzip_open(FILE *compressed)
{
    struct gunzip *from = calloc(1, sizeof *from);

    if (from == NULL || inflateInit2(&from->stream, GZIP_ONLY) != Z_OK) {
        free(from);
        return NULL;
    }
    from->compressed = compressed;
    return fopencookie(from, "r", (cookie_io_functions_t){ .read = read_plain,
                                                           .close = close_plain });
}
