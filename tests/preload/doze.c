/* Ranks that wait sleep: preloaded, sched_yield() gives the core away for a while.
 *
 * A rank of Open MPI that waits for another asks again and again, and yields between
 * (mpi_yield_when_idle); the kernel soon gives it the core back.  The ranks of tests are more than
 * the cores, and tests run beside each other: ranks that compute would lose half of their time. */
#include <sched.h>
#include <time.h>

enum { NANOSECONDS = 50000 };       /* more than a switch of ranks costs, less than any step */

int sched_yield(void)
{
    return nanosleep(&(struct timespec){ .tv_nsec = NANOSECONDS }, NULL);
}
