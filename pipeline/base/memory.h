/* memory.h -- memory is planned, not discovered.
 *
 * A stage adds up what it will allocate, asks here before its first long work, and leaves
 * with a figure if that does not fit.  What counts is what this job may use: the least of
 * the node's memory, the cgroup's limit (versions 1 and 2, at every level above us) and
 * Slurm's --mem or --mem-per-cpu.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "base/comm.h"

/* What the program itself, MPI, HDF5 and the other libraries take of each rank: 36 MB of a training
 * of nothing, 5 more with oneDNN's code. */
enum { MEMORY_BASE = 38 << 20 };

/* Bytes the processes of this job may use together on this node.  Local. */
int64_t memory_limit(void);

/* Refuse with a figure if the ranks of some node need more than its limit.
 *   each    bytes this rank will allocate
 * Collective.  E_SPACE. */
enum status memory_check(MPI_Comm comm, int64_t each, const char *purpose);

/* From now on keep what is freed for the next who asks, but for large blocks.  Chunk after chunk
 * is compressed, decompressed and sent through buffers of some megabytes, which libraries allocate
 * and free each time; fresh memory costs a page fault for every 4 kB.  Local. */
void memory_keep(void);

/* The most resident memory this process has had so far, in bytes.  Local. */
int64_t memory_peak(void);

/* Let memory_peak() tell what it is from now on, after giving back all that is free.  Returns what
 * is resident now.  Local; for Linux. */
int64_t memory_start_peak(void);

#endif
