#include "step/penalty.h"
#include "base/allocate.h"
#include "step/architecture.h"

#include <stdlib.h>
#include <string.h>

void penalty_make(struct penalty *penalty, const struct step_sizes *sizes)
{
    const int64_t batch = sizes->needs.batch, latents = sizes->needs.shape.latents;

    *penalty = (struct penalty){
        .sparsity = allocate(batch, sizeof(double)),
        .fired = allocate(latents, sizeof(int32_t)),
        .decoder_norms = allocate(latents, sizeof(double)),
        .slope = allocate(batch, sizeof(double)),
    };
}

void penalty_free(struct penalty *penalty)
{
    free(penalty->slope);
    free(penalty->decoder_norms);
    free(penalty->fired);
    free(penalty->sparsity);
    *penalty = (struct penalty){0};
}

int64_t penalty_bytes(const struct step_sizes *sizes)
{
    return 2 * sizes->needs.batch * (int64_t)sizeof(double)
           + sizes->needs.shape.latents * (int64_t)(sizeof(int32_t) + sizeof(double));
}

void penalty_begin(struct penalty *penalty, const struct training *training)
{
    penalty->active = penalty->auxiliary = 0;
    penalty->auxiliary_scale = 0;
    memset(penalty->sparsity, 0, (size_t)training->batch * sizeof *penalty->sparsity);
    memset(penalty->fired, 0, (size_t)training->latents * sizeof *penalty->fired);
}

void penalty_count(struct penalty *penalty, const struct training *training,
                   const struct lists *lists)
{
    const struct architecture *architecture = training->architecture;
    const struct codes *rows = &lists->rows;

    for (int64_t row = 0; row < rows->groups; row++) {
        const int32_t first = rows->start[row], middle = rows->middle[row];
        penalty->active += middle - first;
        penalty->auxiliary += rows->start[row + 1] - middle;
        penalty->sparsity[row] += architecture->sparsity != NULL
                                ? architecture->sparsity(rows, row, penalty->decoder_norms)
                                : (double)(middle - first);
        for (int32_t k = first; k < middle; k++)
            penalty->fired[rows->index[k]]++;
    }
}
