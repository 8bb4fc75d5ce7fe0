#include "base/block_sum.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/ordered_sum.h"

#include <stdlib.h>
#include <string.h>

/* One round. */
struct round {
    const struct block_sum *deal;
    const double *total;    /* of the rounds before */
    const double *mine;     /* of this rank's block; NULL: it has none */
    double       *sum;      /* on its way from rank to rank */
};

/* The blocks of a round lie over the ranks in order: rank 0 goes on from the total. */
static void add_block(void *context, int64_t piece)
{
    const struct round *round = context;

    (void)piece;
    for (int64_t i = 0; i < round->deal->count; i++) {
        if (round->deal->run->rank == 0)
            round->sum[i] += round->total[i];
        if (round->mine != NULL)
            round->sum[i] += round->mine[i];
    }
}

enum status block_sum_run(const struct block_sum *deal, double *total)
{
    struct run *run = deal->run;
    const size_t bytes = (size_t)deal->count * sizeof *total;
    const int64_t cuts[] = { 0, deal->count };
    const struct ordered_sum chain = { run->comm, MPI_DOUBLE, 1, cuts, false };
    double *mine = allocate(deal->count, sizeof *mine), *sum = allocate(deal->count, sizeof *sum);
    enum status st = OK;

    memset(total, 0, bytes);
    for (int64_t first = 0; first < deal->blocks; first += run->size) {
        const int64_t block = first + run->rank;
        const bool busy = block < deal->blocks;

        memset(mine, 0, bytes);
        TRY_ALL(run->comm, busy ? deal->compute(deal->context, block, mine) : OK);
        const enum phase before = phase_enter(PHASE_EXCHANGE);
        ordered_sum_run(&chain, sum, add_block, &(struct round){ deal, total, busy ? mine : NULL, sum });
        phase_enter(before);
        memcpy(total, sum, bytes);
        TRY(run_stopping(run) ? refuse(E_STOPPED, "stopped by a signal; run the same command "
                                       "again to go on") : OK);
    }
done:
    free(sum);
    free(mine);
    return st;
}
