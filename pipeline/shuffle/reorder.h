/* reorder.h -- move every row of a stream to its new place, out of core.
 *
 * Output row order(i) is input row i, counted over all shards of the input.  The number of passes
 * follows from the memory (shuffle_plan.h).  Spill files and output shards are written to
 * FOLDER.part, which becomes FOLDER when it holds the output shards and nothing else.  After a
 * run was killed, the next one continues from the spill files and shards that are complete, with
 * any number of ranks.  The output's content does not depend on ranks, memory or interruptions.
 */
#ifndef REORDER_H
#define REORDER_H

#include "base/run.h"
#include "shard/activations.h"
#include "shuffle/order.h"

/* The memory for a shuffle's rows.  It is kept from one stream to the next, because the kernel
 * clears pages that are new to a process, which takes as long as copying rows to them.  Empty at
 * first; the caller frees it. */
struct reorder_rows {
    char   *memory;
    int64_t bytes;
};

struct reorder {
    struct activations *input;
    struct order        order;      /* of as many rows as the input has */
    int64_t             shard;      /* rows of an output shard */
    int64_t             memory;     /* bytes that a rank may use for rows */
    struct reorder_rows *rows;
    const char         *folder;     /* for the output: 00000.h5, 00001.h5, ... */
    const char         *suite;      /* text of the effective suite */
};

/* Collective.  E_USAGE (too little memory was asked for), E_SPACE, E_IO, E_FORMAT (a damaged
 * input or spill file; the output has not the input's rows), E_STOPPED. */
enum status reorder_stream(const struct reorder *job, struct run *run);

#endif
