/* memory.h -- memory is planned, not discovered.
 *
 * A stage adds up what it will allocate, calls memory_check() before its first long work, and
 * refuses with a figure if it does not fit.  The limit is what this job may use: the least of the
 * node's memory, the limits of its control groups (cgroup.h) and Slurm's --mem or --mem-per-cpu.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "base/comm.h"

/* What the program itself, MPI, HDF5 and the other libraries take in each rank.  Measured: 36 MB
 * for a training of almost nothing, 5 MB more with oneDNN's code. */
enum { MEMORY_BASE = 38 << 20 };

/* Bytes that the processes of this job may use together on this node.  Local. */
int64_t memory_limit(void);

/* Refuse if the ranks of some node need more than its limit, or a rank more than its limit of
 * address space (limits.h); the message has both figures.
 *   each    bytes that this rank will allocate
 * Collective.  E_SPACE. */
enum status memory_check(MPI_Comm comm, int64_t each, const char *purpose);

/* Refuse if the ranks of some node cannot share `bytes` in its /dev/shm.  One rank shares with
 * nobody.  Collective.  E_SPACE. */
enum status memory_check_shared(MPI_Comm comm, int64_t bytes, const char *purpose);

/* From now on let malloc() reuse freed blocks, except large ones, instead of returning them to the
 * kernel.  Libraries allocate and free buffers of some megabytes for each chunk that they compress,
 * decompress or send, and new memory costs a page fault every 4 kB.  Local. */
void memory_keep(void);

/* The peak resident memory of this process so far, in bytes.  Local. */
int64_t memory_peak(void);

/* Return free memory to the kernel and restart the peak of memory_peak().  Returns what is resident
 * now.  Local; Linux only. */
int64_t memory_start_peak(void);

#endif
