/* row_source.h -- where a pass reads rows from: the input, or a group of spilled rows.
 *
 * Both are read as one list of records.  A row of the input gets its place in the output when it
 * is read.
 */
#ifndef ROW_SOURCE_H
#define ROW_SOURCE_H

#include "shard/activations.h"
#include "shuffle/order.h"
#include "shuffle/spill.h"

struct row_source {
    struct activations *input;
    const struct order *order;
    int64_t            *places; /* [rows of an input chunk] scratch */
    struct spill       *spill;  /* read instead of the input, unless NULL */
    struct range        rows;   /* of the list */
    struct range        wanted; /* output rows; input rows that go elsewhere are left out */
};

/* The rows of the list for one of `parts` readers.  Readers of the input get whole chunks. */
struct range row_source_part(const struct row_source *source, int part, int parts);

/* Read records from row left->first of the list on: whole chunks of the input, as many as fit
 * into `capacity` records.  Sets left->first to the next row.
 *   records   [capacity]  out, `bytes` each; capacity is at least a chunk's rows
 *   count                 out: records read
 * Local; calls HDF5 only to open shards.  E_IO, E_FORMAT (a damaged chunk; a spilled row that is
 * not wanted). */
enum status row_source_read(struct row_source *source, void *records, int64_t bytes,
                            int64_t capacity, int64_t *count, struct range *left);

#endif
