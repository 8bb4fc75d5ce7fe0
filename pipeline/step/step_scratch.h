/* step_scratch.h -- memory that a phase of a step may use as long as it runs, and its clock. */
#ifndef STEP_SCRATCH_H
#define STEP_SCRATCH_H

#include "kernels/square.h"
#include "step/step_timer.h"

#include <stdint.h>

struct step_scratch {
    int     threads;
    void   *shared;         /* by all threads of a phase */
    float **own;            /* [threads] for each thread by itself */
    struct square square;   /* of dense products (dense.h) */
    struct step_timer timer;
};

/* Bytes of `shared`, and of each thread's own. */
struct scratch_size {
    int64_t shared, own;
};

/* What is enough for either. */
struct scratch_size step_scratch_widest(struct scratch_size a, struct scratch_size b);

/* Memory is aligned to 64 bytes.  Local. */
void step_scratch_make(struct step_scratch *scratch, struct scratch_size size, int threads,
                       enum precision precision);
void step_scratch_free(struct step_scratch *scratch);
int64_t step_scratch_bytes(struct scratch_size size, int threads);

#endif
