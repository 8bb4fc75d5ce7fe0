/* limits.h -- what the system allows a process and a node besides memory (memory.h).
 *
 * mpirun and OpenBLAS wait for ever where one of these is too small, so they are asked first.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include "base/refuse.h"

#include <stdint.h>

/* Raise the limits of open files and of file sizes as far as this process may.  Local. */
void limits_raise(void);

/* Refuse if mpirun and `ranks` ranks could not work under the limits of open files, of the size of
 * a file, or for want of disk for mpirun's session.  Local.  E_SPACE, E_IO. */
enum status limits_check_ranks(int ranks);

/* Refuse if the limit of address space (ulimit -v) leaves a stage too little for `bytes` of data
 * and for the buffers and stacks of `threads` threads: in the stage, or before it starts.  Local.
 * E_SPACE. */
enum status limits_check_address_space(int64_t bytes, int threads, const char *purpose);

/* Bytes that `ranks` ranks of this node may share: what is free of /dev/shm, less what MPI itself
 * takes of it.  INT64_MAX if there is no such folder.  Local. */
int64_t limits_shared(int ranks);

#endif
