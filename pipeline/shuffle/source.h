/* source.h -- where rows come from: the input, or a group of dealt rows.
 *
 * Either is a long list; a row of the input is given its place in the output when it is read.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "shard/activations.h"
#include "shuffle/order.h"
#include "shuffle/spill.h"

struct source {
    struct activations *input;
    const struct order *order;
    int64_t            *places; /* [rows of an input chunk] room to work in */
    struct spill       *dealt;  /* NULL: the input */
    struct range        rows;   /* of the list */
    struct range        wanted; /* output rows; input rows that go elsewhere are left out */
};

/* The rows of the list that one of `parts` readers takes: whole chunks of the input. */
struct range source_part(const struct source *source, int part, int parts);

/* Make records of rows of the list, from left->first on, as many as there is room for and as
 * lie in whole chunks; move left->first behind them.
 *   records   [capacity]  out, `bytes` each; capacity is that of a chunk or more
 *   count                 out: how many
 * Local, without HDF5 but for the opening of shards.  E_IO, E_FORMAT (a damaged chunk; a dealt
 * row that is not wanted). */
enum status source_read(struct source *source, void *records, int64_t bytes, int64_t capacity,
                        int64_t *count, struct range *left);

#endif
