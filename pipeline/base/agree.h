/* agree.h -- agreement of ranks.
 *
 * The one law of this program: a local function may leave on its own failure; a
 * collective function may leave only on an agreed one.
 */
#ifndef AGREE_H
#define AGREE_H

#include "base/refuse.h"

#include <mpi.h>

/* Turn the status of each rank into one status for all: OK if it is OK everywhere, otherwise the
 * status of the lowest rank that failed, whose reason becomes the reason on every rank.
 *
 * Collective.  Returns the same value on every rank.  One small Allreduce: put it around
 * phases (read a block, write a shard), not inside loops over rows. */
enum status agree(MPI_Comm comm, enum status mine);

/* agree(), for use after a collective call of a library that may report a failure to some ranks
 * while other ranks wait in it for ever.  A rank with a failure waits ten seconds for the others,
 * then prints its reason and ends the job. */
enum status agree_in_time(MPI_Comm comm, enum status mine);

/* In a collective function: make a local call on each rank, and leave only if all ranks leave. */
#define TRY_ALL(comm, call) TRY(agree((comm), (call)))

/* In a collective function: make a local call on rank 0 alone, and leave only if all ranks
 * leave. */
#define TRY_ROOT(comm, call) TRY(agree((comm), agree_is_root(comm) ? (call) : OK))

/* Is this rank 0 of `comm`?  Local. */
bool agree_is_root(MPI_Comm comm);

#endif
