/* redistribute.h -- change how the rows of a long array are distributed over the ranks.
 *
 * Before and after, each rank holds a contiguous range of the rows, in order of ranks.
 */
#ifndef REDISTRIBUTE_H
#define REDISTRIBUTE_H

#include "base/split.h"

#include <mpi.h>

/* Get rows `wanted` from the ranks that hold them.  Every wanted row must be held by a rank.
 *   to    [wanted, row_bytes]  out
 *   from  [held, row_bytes]    in, no overlap with `to`
 * Collective.  A range may be empty; more than 2^31 - 1 rows a rank are a bug. */
void redistribute(void *to, struct range wanted, const void *from, struct range held,
                  int64_t row_bytes, MPI_Comm comm);

#endif
