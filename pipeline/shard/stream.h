/* stream.h -- a stream: rows of activations of one tap, each with its origin. */
#ifndef STREAM_H
#define STREAM_H

#include "shard/h5.h"
#include "shard/store.h"
#include "suite/site.h"

/* `format` and `version` of their files. */
#define ACTIVATION_FORMAT "saemill activations"
enum { ACTIVATION_VERSION = 2 };

/* Rows of a chunk: the unit of compression, of checksums and of writing. */
enum { CHUNK_ROWS = 512 };

/* Where a row comes from.  The shuffle moves it along with the row. */
struct row_origin {
    int64_t document;   /* corpus file number << 32 | document number in it */
    int32_t position;   /* of the token in its document */
    int32_t token;      /* id */
};

/* What all shards of a stream have in common. */
struct stream {
    struct tap tap;
    int32_t    width;           /* values in a row */
    enum store store;
};

/* Bytes of the values of a row. */
static inline int64_t stream_row_bytes(struct stream stream)
{
    return stream.width * store_bytes(stream.store);
}

#endif
