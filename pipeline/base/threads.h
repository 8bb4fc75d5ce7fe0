/* threads.h -- OpenMP gives each parallel region as many threads as it says.
 *
 * OpenBLAS waits in a barrier of its own for all the threads that omp_get_max_threads() announces.
 * With OMP_DYNAMIC=true, or OMP_THREAD_LIMIT below OMP_NUM_THREADS, OpenMP starts fewer, and the
 * barrier never opens.  Sites and batch systems set both.
 */
#ifndef THREADS_H
#define THREADS_H

/* Switch dynamic teams off for the calling thread and lower its number of threads to the limit.
 * Settings are each thread's own, so a thread that opens parallel regions calls this first.
 * Local. */
void threads_settle(void);

/* The most threads that OMP_THREAD_LIMIT and `wanted` allow.  Local. */
int threads_within_limit(int wanted);

#endif
