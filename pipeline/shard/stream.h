/* stream.h -- what rows of activations are: so many values, and where they come from. */
#ifndef STREAM_H
#define STREAM_H

#include "shard/h5.h"
#include "shard/store.h"
#include "suite/site.h"

/* What their files call themselves. */
#define ACTIVATION_FORMAT "saemill activations"
enum { ACTIVATION_VERSION = 1 };

/* Rows of a chunk: the unit of compression, of checksums and of writing. */
enum { CHUNK_ROWS = 512 };

/* Where one row comes from; travels with it through the shuffle. */
struct row_origin {
    int64_t document;   /* corpus file number << 32 | document number in it */
    int32_t position;   /* of the token in its document */
    int32_t token;      /* id */
};

/* What every shard of a stream agrees on. */
struct stream {
    struct tap tap;
    int32_t    width;           /* values of a row */
    enum store store;
};

/* Bytes of the values of a row. */
static inline int64_t stream_row_bytes(struct stream stream)
{
    return stream.width * store_bytes(stream.store);
}

#endif
