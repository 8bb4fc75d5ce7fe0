/* comm.h -- the few things that MPI leaves to its callers. */
#ifndef COMM_H
#define COMM_H

#include "base/agree.h"

#include <mpi.h>
#include <stdint.h>

/* Wait for all ranks, asleep: before a collective call that some come to much later than
 * others, since a rank that waits in MPI keeps its core busy.  Collective. */
void comm_meet(MPI_Comm comm);

/* Set when a write to a file of several ranks has failed.  Inside the library that writes it
 * the ranks may then stand at different collective calls, so neither the file nor MPI can
 * be closed any more: run_finish() ends the job without. */
extern bool comm_broken;

/* A count for MPI, which takes ints.  Dies if it does not fit: a bug, since exchanges are
 * cut into rounds long before. */
int comm_count(int64_t n);

/* Rank 0 reads the whole of a file, every rank gets its bytes, terminated by a NUL that
 * `size` does not count.  Caller frees.  Collective. */
enum status comm_read_file(MPI_Comm comm, const char *path, char **bytes, int64_t *size);

/* The ranks of comm that share this rank's node and its memory.  Caller frees
 * (MPI_Comm_free).  Collective. */
MPI_Comm comm_of_node(MPI_Comm comm);

/* Is this rank the first of its node?  Collective. */
bool comm_first_of_node(MPI_Comm comm);

/* Does rank 0 see something of this name?  On a shared disk other ranks may see it later, so
 * all go by what rank 0 says.  Collective. */
bool comm_file_exists(MPI_Comm comm, const char *path);

#endif
