/* step_scratch.h -- memory that a phase of a step may use as long as it runs, and its clock. */
#ifndef STEP_SCRATCH_H
#define STEP_SCRATCH_H

#include "kernels/square.h"
#include "step/step_timer.h"
#include "step/storage.h"

#include <stdint.h>

struct step_scratch {
    int     threads;
    void   *shared;         /* by all threads of a phase */
    char   *own;            /* [threads, own_bytes] for each thread by itself */
    int64_t own_bytes;
    struct square square;   /* of dense products (dense.h) */
    struct step_timer timer;
};

/* Bytes of `shared`, and of each thread's own. */
struct scratch_size {
    int64_t shared, own;
};

/* What is enough for either. */
struct scratch_size step_scratch_widest(struct scratch_size a, struct scratch_size b);

void step_scratch_storage(struct step_scratch *scratch, struct scratch_size size, int threads,
                          struct storage *storage);

/* The calling thread's own.  Local, called by all threads. */
static inline void *step_scratch_own(const struct step_scratch *of)
{
    return of->own + omp_get_thread_num() * of->own_bytes;
}

#endif
