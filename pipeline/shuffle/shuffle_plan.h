/* shuffle_plan.h -- how often a shuffle must move all rows, and through what.
 *
 * If the memory of all ranks together can hold all rows, one pass does: every row is read
 * and sent to the rank that holds its place.  If not, the output is cut into windows that
 * memory can hold, and a pass before deals the rows to files, a memory full at a
 * time, sorted by the window they go to; then each window reads its share of every file.
 * If the windows are so many that those shares would be too small to read well, they are
 * dealt to groups of windows first, and each group again: three passes.  If rows stay in
 * buckets of which a window holds one or more, one pass does again: each window reads the
 * buckets that it has a part of.
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

/* Who holds a window, and writes it.  All ranks together always can.  A rank that has windows of
 * its own waits for no other one: on two ranks that saves a quarter of the time.  But shards must
 * be shared evenly by the ranks, and it must not take a pass more. */
enum shuffle_way {
    SHUFFLE_TOGETHER,        /* all ranks, one window after the other; they send each other rows */
    SHUFFLE_APART,           /* each rank its own, one after the other; it reads their rows */
    SHUFFLE_AT_ONCE,         /* each rank its own, in one pass; they send each other rows */
};

/* How the rows of a stream are moved.  The same for whatever ranks go on with it after an
 * interruption, so it does not mention them. */
struct shuffle_plan {
    int64_t rows;               /* of the stream */
    int64_t shard;              /* rows of an output shard */
    int64_t span;               /* windows start anew after so many rows: some shards */
    int64_t window;             /* rows of a window: all of a span, or some chunks of it */
    int64_t windows;
    int64_t unit;               /* rows of a file to deal to */
    int64_t fanout;             /* groups that rows are dealt to */
    int64_t dealings;           /* passes but the last; 0 with several windows: buckets */
    int64_t way;                /* enum shuffle_way */
};

/* The fewest passes for `rows` rows (1 or more) in shards of `shard`, of which each stays in its
 * bucket: `bucket` consecutive rows (`rows`: it may go anywhere). */
void shuffle_plan_make(struct shuffle_plan *passes, int64_t rows, int64_t shard, int64_t bucket,
                 const struct shuffle_memory *room);

/* Are there places for all that passes want?  True for those made from the room.  If so, reduces
 * the room to what is needed, and tells it how many ranks hold a window. */
bool shuffle_plan_fit(const struct shuffle_plan *passes, struct shuffle_memory *room);

/* Rows of a chunk of the output; windows that a rank's memory holds at a time. */
int64_t shuffle_plan_chunk(int64_t rows, int64_t shard);
int     shuffle_plan_held(const struct shuffle_plan *passes);

/* Rows of a window; the window of a row; windows of a span. */
struct range shuffle_plan_range(const struct shuffle_plan *passes, int64_t window);
int64_t      shuffle_plan_window(const struct shuffle_plan *passes, int64_t row);
int64_t      shuffle_plan_each(const struct shuffle_plan *passes);

/* The rank, of so many, whose own a window is: that of the windows of its span, too, so that
 * no two write to one shard. */
int shuffle_plan_owner(const struct shuffle_plan *passes, int64_t window, int ranks);

/* --- who holds what of a window ------------------------------------------------------ */

/* A window's part of a shard is written `stretch` chunks a rank at a time, so ranks that hold it
 * together have alternate stretches.  A rank keeps its rows in the order in which it writes them. */
struct shuffle_position {
    int     rank;
    int64_t slot;               /* row of that rank's memory */
};

/* The place of an output row in the window that it is in. */
struct shuffle_position shuffle_plan_position(const struct shuffle_plan *passes, const struct shuffle_memory *room, int64_t row);

/* What rank number `rank` of those that hold a window writes in call number `call` of its part
 * of a shard: `part` are rows of the output in one shard and one window.  The slot of the first
 * of them is that of shuffle_plan_position(). */
struct range shuffle_plan_stretch(const struct shuffle_memory *room, struct range part, int64_t call, int rank);
int64_t      shuffle_plan_calls(const struct shuffle_memory *room, struct range part);

#endif
