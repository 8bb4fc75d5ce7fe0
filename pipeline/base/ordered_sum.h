/* ordered_sum.h -- sums of addends that are distributed over ranks, with the same bits on any
 * number of ranks.
 *
 * The ranks own the addends in order: rank 0 the first ones, then rank 1, and so on; a rank may
 * own none.  A running sum starts at rank 0 and travels from rank to rank.  Each rank adds its
 * addends in order, and the last one sends the total to all.  So additions happen in the order of
 * the addends, whichever rank owns them.  (A tree over the ranks would change the bits with their
 * number.)  One rank needs no communication.
 */
#ifndef ORDERED_SUM_H
#define ORDERED_SUM_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* A long running sum travels in parts: while one rank adds to a part, the next rank adds to the
 * part before. */
struct ordered_sum {
    MPI_Comm       comm;
    MPI_Datatype   type;        /* of the elements: MPI_FLOAT or MPI_DOUBLE */
    int64_t        parts;
    const int64_t *bounds;      /* [parts + 1] part p is elements bounds[p] to bounds[p + 1] - 1 */
    bool           begun;       /* rank 0's addends are in `sum` already */
};

/* Add this rank's addends, in order, to one part of the running sum, in place. */
typedef void ordered_sum_add(void *context, int64_t part);

/* Sum the addends of all ranks.
 *   sum   [bounds[parts] - bounds[0]]   out: the totals, on every rank; in: rank 0's addends if
 *                                       `begun`, otherwise ignored
 * Calls add(context, part) for each part, which adds to `sum`.  Collective. */
void ordered_sum_run(const struct ordered_sum *order, void *sum, ordered_sum_add *add,
                     void *context);

#endif
