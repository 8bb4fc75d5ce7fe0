#include "base/block_sum.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/ordered_sum.h"

#include <stdlib.h>
#include <string.h>

/* A round: one block for each rank. */
struct round {
    const struct block_sum *job;
    const double *total;    /* of earlier rounds */
    const double *mine;     /* of this rank's block; NULL if it has none */
    double       *sum;      /* the running sum that travels from rank to rank */
};

/* Add this rank's block to the running sum.  Rank 0 starts it from the total. */
static void add_block(void *context, int64_t part)
{
    const struct round *round = context;

    (void)part;
    for (int64_t i = 0; i < round->job->count; i++) {
        if (round->job->run->rank == 0)
            round->sum[i] += round->total[i];
        if (round->mine != NULL)
            round->sum[i] += round->mine[i];
    }
}

enum status block_sum_run(const struct block_sum *job, double *total)
{
    struct run *run = job->run;
    const size_t bytes = (size_t)job->count * sizeof *total;
    const int64_t bounds[] = { 0, job->count };
    const struct ordered_sum order = { run->comm, MPI_DOUBLE, 1, bounds, false };
    double *mine = allocate(job->count, sizeof *mine), *sum = allocate(job->count, sizeof *sum);
    enum status st = OK;

    memset(total, 0, bytes);
    for (int64_t first = 0; first < job->blocks; first += run->size) {
        const int64_t block = first + run->rank;
        const bool busy = block < job->blocks;

        memset(mine, 0, bytes);
        TRY_ALL(run->comm, busy ? job->compute(job->context, block, mine) : OK);
        const enum phase before = phase_enter(PHASE_EXCHANGE);
        struct round round = { job, total, busy ? mine : NULL, sum };
        ordered_sum_run(&order, sum, add_block, &round);
        phase_enter(before);
        memcpy(total, sum, bytes);
        TRY(run_stopping(run) ? run_stopped() : OK);
    }
done:
    free(sum);
    free(mine);
    return st;
}
