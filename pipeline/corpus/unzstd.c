#include "corpus/unzstd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#define ZSTD_STATIC_LINKING_ONLY    /* ZSTD_getFrameHeader() */
#include <zstd.h>
#include <zstd_errors.h>

enum { INPUT_BYTES = 1 << 17, WINDOW_LOG_MAX = 31 };
enum { ORDINARY_WINDOW = 8 << 20 };     /* up to zstd -19 */

struct unzstd {
    FILE         *compressed;
    ZSTD_DCtx    *context;
    ZSTD_inBuffer input;
    bool          inside;       /* in the middle of a frame */
    char          bytes[INPUT_BYTES];
};

/* Read function of the stream: as read(2), 0 at the end, -1 on an error. */
static ssize_t read_plain(void *cookie, char *buffer, size_t size)
{
    struct unzstd *from = cookie;
    ZSTD_outBuffer output = { buffer, size, 0 };

    while (output.pos == 0) {
        if (from->input.pos == from->input.size) {
            from->input = (ZSTD_inBuffer){ from->bytes, 0, 0 };
            from->input.size = fread(from->bytes, 1, INPUT_BYTES, from->compressed);
        }
        if (from->input.size == 0 && !from->inside)
            return 0;
        const size_t left = ZSTD_decompressStream(from->context, &output, &from->input);
        const bool starved = from->input.size == 0 && output.pos == 0 && left != 0;
        if (ZSTD_isError(left) || starved) {
            errno = ferror(from->compressed) ? EIO
                    : ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? ENOMEM : EBADMSG;
            return -1;
        }
        from->inside = left != 0;
    }
    return (ssize_t)output.pos;
}

static int close_plain(void *cookie)
{
    struct unzstd *from = cookie;

    ZSTD_freeDCtx(from->context);
    free(from);
    return 0;
}

FILE *unzstd_open(FILE *compressed)
{
    struct unzstd *from = calloc(1, sizeof *from);

    if (from == NULL || (from->context = ZSTD_createDCtx()) == NULL) {
        free(from);
        return NULL;
    }
    /* zstd --long=31 makes windows of 2 GiB; by itself the library refuses more than 128 MiB. */
    ZSTD_DCtx_setParameter(from->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    from->compressed = compressed;
    return fopencookie(from, "r", (cookie_io_functions_t){ .read = read_plain,
                                                           .close = close_plain });
}

int64_t unzstd_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    char head[ZSTD_FRAMEHEADERSIZE_MAX];
    const size_t got = file != NULL ? fread(head, 1, sizeof head, file) : 0;
    ZSTD_frameHeader frame = {0};
    unsigned long long window = ORDINARY_WINDOW;

    if (file != NULL)
        fclose(file);
    if (got > 0 && ZSTD_getFrameHeader(&frame, head, got) == 0 && frame.frameType == ZSTD_frame)
        window = frame.frameContentSize < frame.windowSize ? frame.frameContentSize
                                                           : frame.windowSize;
    if (window > 1ULL << WINDOW_LOG_MAX)
        window = 1ULL << WINDOW_LOG_MAX;        /* which refuses it */
    return (int64_t)window + 3 * ZSTD_BLOCKSIZE_MAX + INPUT_BYTES;
}
