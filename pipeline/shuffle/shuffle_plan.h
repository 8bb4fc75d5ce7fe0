/* shuffle_plan.h -- how many passes a shuffle makes over the rows, and what each one moves.
 *
 * One pass is enough if the memory of all ranks together holds all rows: each row is read and
 * sent to the rank that holds its place in the output.  If memory is smaller, the output is cut
 * into windows that fit, and a partition pass comes first.  It reads as many rows as memory holds
 * (a run), sorts them by the window they go to, and writes them to a spill file; then it
 * takes the next run.  The last pass fills window after window, each from its share of every
 * spill file.
 *
 * With very many windows these shares would be too small to read well.  Then a first partition
 * pass sorts by groups of windows, and a second one divides each group: three passes.
 *
 * Rows that stay in buckets, of which a window holds at least one, need one pass again: each
 * window reads the buckets that it overlaps.
 *
 * The scheme is that of Anthropic's "The engineering challenges of scaling
 * interpretability" (2024).  All here is arithmetic: no files, no communication.
 */
#ifndef SHUFFLE_PLAN_H
#define SHUFFLE_PLAN_H

#include "base/split.h"
#include "shuffle/shuffle_memory.h"

#include <stdbool.h>
#include <stdint.h>

/* Which ranks hold a window, and write it.  SHUFFLE_SHARED is always possible.  A rank with
 * windows of its own waits for no other rank: on two ranks that saves a quarter of the time.  It
 * is chosen if ranks get about the same number of shards and it takes no further pass. */
enum shuffle_placement {
    SHUFFLE_SHARED,         /* all ranks share a window, and send each other rows; one window
                               after the other */
    SHUFFLE_OWN,            /* a rank has windows of its own, and reads their rows itself; one
                               after the other */
    SHUFFLE_OWN_ONE_PASS,   /* a rank has one window of its own, all are filled at the same time,
                               and ranks send each other rows */
};

/* How the rows of a stream are moved.  It does not mention ranks: a run with any number of them
 * may continue after an interruption.  Stored in plan.h5 in this order (plan_file.h). */
struct shuffle_plan {
    int64_t rows;           /* of the stream */
    int64_t shard;          /* rows of an output shard */
    int64_t period;         /* rows of one or more whole shards, after which the pattern of
                               windows repeats; no window crosses its end */
    int64_t window;         /* rows of a window: a whole period, or some chunks of it */
    int64_t windows;
    int64_t run_rows;       /* rows of a run, that is of a spill file; 0 without partition passes */
    int64_t fanout;         /* groups that a partition pass divides its rows into, at most */
    int64_t partitions;     /* partition passes, that is passes but the last; 0 with several
                               windows if rows stay in buckets */
    int64_t placement;      /* enum shuffle_placement */
};

/* Plan the fewest passes for `rows` rows (1 or more) in shards of `shard`, where each row stays
 * in its bucket of `bucket` consecutive rows (`rows`: it may go anywhere). */
void shuffle_plan_make(struct shuffle_plan *plan, int64_t rows, int64_t shard, int64_t bucket,
                       const struct shuffle_memory *memory);

/* Do the windows and runs of a plan fit into this memory?  True for a plan that was made from
 * it.  If so, reduces `memory` to what the plan needs, and sets its `holders`. */
bool shuffle_plan_fit(const struct shuffle_plan *plan, struct shuffle_memory *memory);

/* Rows of a chunk of the output; windows in a rank's memory at the same time. */
int64_t shuffle_plan_chunk(int64_t rows, int64_t shard);
int     shuffle_plan_window_buffers(const struct shuffle_plan *plan);

/* Output rows of a window; the window of an output row; windows of a period. */
struct range shuffle_plan_range(const struct shuffle_plan *plan, int64_t window);
int64_t      shuffle_plan_window(const struct shuffle_plan *plan, int64_t row);
int64_t      shuffle_plan_period_windows(const struct shuffle_plan *plan);

/* The rank, of `ranks`, that owns a window if windows are not shared.  A period's windows have
 * the same owner, so no two ranks write to one shard. */
int shuffle_plan_owner(const struct shuffle_plan *plan, int64_t window, int ranks);

/* --- where a rank holds the rows of a window ------------------------------------------- */

/* The part of a shard that lies in a window is written in several calls.  In each, every holder
 * of the window writes up to memory->write_chunks chunks, in the order of their ranks.  A rank
 * keeps its rows in the order in which it writes them. */
struct shuffle_position {
    int     rank;
    int64_t index;              /* row in that rank's memory for the window */
};

/* Where an output row is held until its window is written. */
struct shuffle_position shuffle_plan_position(const struct shuffle_plan *plan,
                                              const struct shuffle_memory *memory, int64_t row);

/* The output rows that holder number `rank` writes in call number `call`, which lie together in
 * its memory, from shuffle_plan_position() of the first one on; and the number of calls.
 * `part` are the output rows in one shard and one window. */
struct range shuffle_plan_write_range(const struct shuffle_memory *memory, struct range part,
                                      int64_t call, int rank);
int64_t      shuffle_plan_writes(const struct shuffle_memory *memory, struct range part);

#endif
