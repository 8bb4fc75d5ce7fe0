/* ordered_sum.h -- sums over things that are spread over ranks, with the same bits on any number.
 *
 * The ranks own the addends in order: rank 0 the first ones, then rank 1, and so on (a rank
 * may own none).  A running sum starts at rank 0, travels from owner to owner, each adds
 * its own addends one after the other, and the last one gives the total to all.  So the
 * order of the additions is that of the addends, whoever owns them; a tree over ranks would
 * change the bits with their number.  With one rank it is just the local work.
 */
#ifndef ORDERED_SUM_H
#define ORDERED_SUM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* The elements of a long running sum travel in pieces, so that the ranks work at the same
 * time, each on another piece. */
struct ordered_sum {
    MPI_Comm       comm;
    MPI_Datatype   type;        /* of the elements: MPI_FLOAT or MPI_DOUBLE */
    int64_t        pieces;
    const int64_t *cuts;        /* [pieces + 1] piece p is elements cuts[p] to cuts[p + 1] */
    bool           begun;       /* rank 0's addends are in `sum` already */
};

/* Add this rank's addends, in order, to one piece of the running sum. */
typedef void ordered_sum_add(void *context, int64_t piece);

/* Sum up.
 *   sum   [cuts[pieces] - cuts[0]]   out: the totals, on every rank; what was in it does not
 *                                    count, unless it is begun
 * `add` adds to `sum` in place.  Collective. */
void ordered_sum_run(const struct ordered_sum *chain, void *sum, ordered_sum_add *add, void *context);

#endif
