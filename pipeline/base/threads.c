#include "base/threads.h"
#include "base/minmax.h"

#include <omp.h>

int threads_within_limit(int wanted)
{
    return (int)min_int64(wanted, omp_get_thread_limit());
}

void threads_settle(void)
{
    omp_set_dynamic(0);
    omp_set_num_threads(threads_within_limit(omp_get_max_threads()));
}
