/* block_sum.h -- sums over blocks of work that are dealt to the ranks, with the same bits on any
 * number of them.
 *
 * In a round each rank gets one block, in order; the sums of the blocks are added in the
 * order of the blocks, whoever computed them.
 */
#ifndef BLOCK_SUM_H
#define BLOCK_SUM_H

#include "base/run.h"

struct block_sum {
    struct run *run;
    int64_t     blocks;
    int64_t     count;      /* of sums */
    void       *context;
    /* Compute block `block` and add to its sums [count], which are 0.  Local. */
    enum status (*compute)(void *context, int64_t block, double *sums);
};

/* Compute all blocks and add their sums.
 *   total [count]  out, on every rank
 * Collective.  What compute() refuses; E_STOPPED after a round if a signal asks to stop. */
enum status block_sum_run(const struct block_sum *deal, double *total);

#endif
