/* records.h -- a row on its way: where it goes, where it comes from, its values.
 *
 * Records lie one behind the other in memory, in messages and in dealt files (dealt.h).
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "shard/activations.h"
#include "shard/order.h"

struct record {
    uint64_t          hash;     /* of the rest of the record; only kept in files */
    int64_t           row;      /* of the output */
    struct row_origin origin;
    char              values[]; /* in the stream's store, zeros up to a multiple of 8 bytes */
};

/* Bytes of a record whose values take row_bytes. */
int64_t record_bytes(int64_t row_bytes);

/* Record number `at`. */
struct record *record_at(void *records, int64_t bytes, int64_t at);

/* Make records of input rows, from left->first on, as many as there are room for and as
 * lie in whole chunks (all of `left` if it ends within the first chunk); move left->first
 * behind them.
 *   records   [capacity]    out; capacity is CHUNK_ROWS or more
 *   count                   out: how many
 *   values, origins, places [CHUNK_ROWS]  room to work in
 * Local.  E_IO, E_FORMAT (a damaged chunk). */
enum status records_read(void *records, int64_t *count, int64_t capacity, struct range *left,
                         struct activations *input, const struct order *order,
                         void *values, struct row_origin *origins, int64_t *places);

#endif
