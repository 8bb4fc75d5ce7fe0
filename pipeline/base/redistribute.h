/* redistribute.h -- move rows that lie over the ranks in one way so that they lie in another.
 *
 * A long array of rows lies over the ranks in contiguous ranges, each rank's behind those of
 * the ranks below it; it is to lie in other ranges of the same kind.
 */
#ifndef REDISTRIBUTE_H
#define REDISTRIBUTE_H

#include "base/split.h"

#include <mpi.h>

/* Bring rows `wanted` to this rank, from whoever has them; all wanted rows are had by someone.
 *   to    [wanted, row_bytes]  out
 *   from  [had, row_bytes]     in, no overlap with `to`
 * Collective.  A range may be empty; more than 2^31 - 1 rows a rank are a bug. */
void redistribute(void *to, struct range wanted, const void *from, struct range had,
             int64_t row_bytes, MPI_Comm comm);

#endif
