/* records.h -- a record: a row in transit, with its output row, its origin and its values.
 *
 * Records are stored contiguously in memory, in messages and in spill files (spill.h).
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "shard/stream.h"

struct record {
    int64_t           row;      /* of the output */
    struct row_origin origin;
    char              values[]; /* in the stream's store, padded with zeros to a multiple of 8
                                   bytes */
};

/* Bytes of a record whose values take row_bytes. */
static inline int64_t record_bytes(int64_t row_bytes)
{
    return (int64_t)sizeof(struct record) + (row_bytes + 7) / 8 * 8;
}

/* Record number `at` of an array of records of `bytes` each. */
static inline struct record *record_at(void *records, int64_t bytes, int64_t at)
{
    return (struct record *)(void *)((char *)records + at * bytes);
}

#endif
