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
#include "shuffle/reorder_job.h"

/* Collective.  E_USAGE (too little memory was asked for), E_SPACE, E_IO, E_FORMAT (a damaged
 * input or spill file; the output has not the input's rows), E_STOPPED. */
enum status reorder_stream(const struct reorder *job, struct run *run);

#endif
