/* rank_sum.h -- sums over rows that lie on several ranks, with the same bits on any number. */
#ifndef RANK_SUM_H
#define RANK_SUM_H

#include <mpi.h>
#include <stdint.h>

/* Sum rows, in the order of the ranks that hold them (base/ordered_sum.h).
 *   sum      [width]          out, on every rank
 *   values   [count, width]   of this rank
 * Collective. */
void rank_sum(MPI_Comm comm, double *sum, const float *values, int64_t count, int64_t width);

#endif
