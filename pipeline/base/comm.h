/* comm.h -- small additions to MPI: counts, waiting asleep, files and nodes. */
#ifndef COMM_H
#define COMM_H

#include "base/agree.h"

#include <mpi.h>
#include <stdint.h>

/* A barrier in which ranks sleep.  For use before a collective call that some ranks reach much
 * later than others: a rank that waits inside MPI keeps its core busy.  Collective. */
void comm_meet(MPI_Comm comm);

/* Set when a write to a file of several ranks has failed: the ranks may then be in different
 * collective calls inside the library, so neither the file can be closed nor MPI be finalised.
 * Also set when HDF5 could not close a file, for a full disk, say: it would try again, and
 * crash, when MPI is finalised.  run_finish() ends the job without. */
extern bool comm_broken;

/* A count for MPI, which takes ints.  Dies if `n` does not fit: that is a bug, since exchanges are
 * divided into rounds. */
int comm_count(int64_t n);

/* Read a whole file on rank 0 and send its bytes to every rank, terminated by a NUL that `size`
 * does not count.  Caller frees.  Collective.  E_IO. */
enum status comm_read_file(MPI_Comm comm, const char *path, char **bytes, int64_t *size);

/* The ranks of comm on this rank's node, which can share memory.  Caller frees (MPI_Comm_free).
 * Collective. */
MPI_Comm comm_of_node(MPI_Comm comm);

/* Is this rank the first of its node?  Collective. */
bool comm_first_of_node(MPI_Comm comm);

/* Does rank 0 see a file of this name?  On a shared disk other ranks may see it later, so all of
 * them use the answer of rank 0.  Collective. */
bool comm_file_exists(MPI_Comm comm, const char *path);

#endif
