#include "shard/frame.h"

#include <zstd.h>

size_t frame_bound(size_t bytes)
{
    return ZSTD_compressBound(bytes);
}

size_t frame_make(void *frame, const void *from, size_t bytes, int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t n = 0;

    if (context != NULL) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        /* In zstd's static interface this is ZSTD_c_literalCompressionMode, and 1 means always:
         * negative levels leave entropy coding out by default.  An older zstd may refuse the
         * parameter; then frames are larger. */
        ZSTD_CCtx_setParameter(context, ZSTD_c_experimentalParam5, 1);
        n = ZSTD_compress2(context, frame, frame_bound(bytes), from, bytes);
    }
    ZSTD_freeCCtx(context);
    return ZSTD_isError(n) ? 0 : n;
}

bool frame_content(size_t *bytes, const void *frame, size_t frame_bytes)
{
    const unsigned long long size = ZSTD_getFrameContentSize(frame, frame_bytes);

    /* The size is missing, or a flipped bit has made it impossible. */
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > 1u << 31)
        return false;
    *bytes = (size_t)size;
    return true;
}

bool frame_open(void *to, size_t bytes, const void *frame, size_t frame_bytes)
{
    return ZSTD_decompress(to, bytes, frame, frame_bytes) == bytes;
}
