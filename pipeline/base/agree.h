/* agree.h -- agreement of ranks.
 *
 * The one law of this program: a local function may leave on its own failure; a
 * collective function may leave only on an agreed one.
 */
#ifndef AGREE_H
#define AGREE_H

#include "base/refuse.h"

#include <mpi.h>

/* Make one outcome of every rank's own: OK if all ranks bring OK, otherwise the status of
 * the lowest rank that failed, whose reason becomes the reason on every rank.
 *
 * Collective.  Returns the same value on every rank.  One small Allreduce: put it around
 * phases (read a block, write a shard), not inside loops over rows. */
enum status agree(MPI_Comm comm, enum status mine);

/* agree() after a collective call of a library that may return a failure to some ranks while
 * it keeps the others waiting: a rank with a failure gives the others ten seconds to come
 * here, then it prints its reason and ends the job. */
enum status agree_in_time(MPI_Comm comm, enum status mine);

/* In a collective function: make a local call, and leave only if all ranks leave. */
#define TRY_ALL(comm, call) TRY(agree((comm), (call)))

/* In a collective function: let rank 0 alone make a local call, and leave only if all leave. */
#define TRY_ROOT(comm, call) TRY(agree((comm), agree_is_root(comm) ? (call) : OK))

/* Is this rank 0 of `comm`?  Local. */
bool agree_is_root(MPI_Comm comm);

#endif
