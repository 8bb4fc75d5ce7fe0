/* reorder.h -- move every row of a stream to a new place, out of core.
 *
 * Output row order(i) is input row i, for all rows of all shards of the input.  How many
 * passes that takes follows from the memory (shuffle_plan.h).  All that is on its way lies in
 * FOLDER.part, which becomes FOLDER when it holds the output shards and nothing else; a
 * run that is killed goes on from the dealt files and output shards that were complete,
 * with any number of ranks.  The output's content does not depend on ranks, memory or
 * interruptions.
 */
#ifndef REORDER_H
#define REORDER_H

#include "base/run.h"
#include "shard/activations.h"
#include "shuffle/order.h"

/* Where rows lie meanwhile: kept from one stream to the next, since memory that is new to a process
 * is cleared at first use, which takes as long as the copying.  Empty at first; the caller
 * frees it. */
struct reorder_rows {
    char   *memory;
    int64_t bytes;
};

struct reorder {
    struct activations *input;
    struct order        order;      /* of as many rows as the input has */
    int64_t             shard;      /* rows of an output shard */
    int64_t             memory;     /* bytes a rank may use for rows */
    struct reorder_rows *rows;
    const char         *folder;     /* for the output: 00000.h5, 00001.h5, ... */
    const char         *suite;      /* text of the effective suite */
};

/* Collective.  E_USAGE (too little memory asked for), E_SPACE, E_IO, E_FORMAT (damaged
 * input or dealt file; the output has not the input's rows), E_STOPPED. */
enum status reorder_stream(const struct reorder *job, struct run *run);

#endif
