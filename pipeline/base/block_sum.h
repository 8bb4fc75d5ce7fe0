/* block_sum.h -- sums over blocks of work that are distributed over the ranks, with the same bits
 * on any number of ranks.
 *
 * In each round every rank computes one block, in order of ranks.  The sums of the blocks are
 * added in the order of the blocks, whichever rank computed them.
 */
#ifndef BLOCK_SUM_H
#define BLOCK_SUM_H

#include "base/run.h"

struct block_sum {
    struct run *run;
    int64_t     blocks;
    int64_t     count;      /* sums of a block */
    void       *context;
    /* Compute block number `block` and its sums [count], which are 0 at first.  Local. */
    enum status (*compute)(void *context, int64_t block, double *sums);
};

/* Compute all blocks and add their sums.
 *   total [count]  out, on every rank
 * Collective.  Returns what compute() returns; E_STOPPED if a signal asks to stop. */
enum status block_sum_run(const struct block_sum *job, double *total);

#endif
