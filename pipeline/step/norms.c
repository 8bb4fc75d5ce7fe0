#include "step/norms.h"
#include "base/minmax.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/rank_sum.h"

void norms_storage(struct norms *norms, const struct step_sizes *sizes, struct storage *storage)
{
    const struct shape shape = sizes->needs.shape;

    STORAGE(storage, norms->blocks, max_int64(sizes->own_column_blocks * shape.latents,
                                              split_blocks(shape.inputs, COLUMNS)
                                              * sizes->own_latents));
    STORAGE(storage, norms->sums, shape.latents);
}

void norms_square_row(struct norms *norms, const struct training *training, int64_t latent,
                      struct range columns)
{
    const float *row = training->tensors[DECODER].value + latent * training_own_columns(training);

    for (int64_t first = columns.first; first < columns.end; first += COLUMNS)
        norms->blocks[first / COLUMNS * training->latents + latent] =
            (float)values_sum_squares(row + first, min_int64(COLUMNS, columns.end - first));
}

void norms_sum_blocks(const struct norms *norms, const struct training *training, double *sums)
{
    rank_sum(training->comm, sums, norms->blocks,
             split_blocks(training_own_columns(training), COLUMNS), training->latents);
}

void norms_of_decoder(struct norms *norms, const struct training *training, double *sums)
{
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        norms_square_row(norms, training, i, (struct range){ 0, training_own_columns(training) });
    norms_sum_blocks(norms, training, sums);
}
