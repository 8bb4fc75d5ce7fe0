#include "kernels/bf16.h"
#include "kernels/sparse.h"
#include "sae/architecture.h"
#include "sae/gradients.h"

#include <math.h>
#include <string.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* Squared norms of some decoder rows' gradients, without the part that is taken away, in each
 * block of own columns. */
static void square_decoder(const struct training *training, struct workspace *w,
                           struct range latents)
{
    const int64_t columns = length(training->own_columns);
    const float *decoder = training->tensors[DECODER].value;
    float *gradient = decoder_gradient(training, w, latents);

    for (int64_t i = latents.first; i < latents.end; i++) {
        float *g = gradient + (i - latents.first) * columns;
        for (int64_t j = 0; j < columns; j++)
            g[j] -= (float)w->along[i] * decoder[i * columns + j];
        for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
            const struct range block = split_block(columns, COLUMNS, c);
            w->block_norms[c * training->latents + i] =
                sum_squares(g + block.first, length(block));
        }
    }
}

/* Those of the own latents' encoder rows and vectors, into `norms` [latents]. */
static void square_encoder(const struct training *training, struct workspace *w, double *norms,
                           struct range own)
{
    const int64_t first = training->own_latents.first, inputs = training->inputs;
    const struct range latents = { own.first + first, own.end + first };
    const float *gradient = encoder_gradient(training, w, latents);

    for (int64_t i = own.first; i < own.end; i++) {
        double *norm = &norms[first + i];
        *norm = sum_squares(gradient + (i - own.first) * inputs, inputs);
        for (int v = 0; v < VECTORS; v++)
            if (training->tensors[ENCODER_BIAS + v].name != NULL)
                *norm += pow((double)w->vector_gradient[v][i], 2);
    }
}

/* The skip matrix's, a number for each block of columns, in `squares` of the workspace; ranks
 * own blocks of columns in order, so their sum goes round. */
static double square_skip(const struct training *training, struct workspace *w)
{
    const int64_t columns = length(training->own_columns);
    const int64_t blocks = split_blocks(columns, COLUMNS);
    double sum = 0;

    if (!training->recipe.skip)
        return 0;
    #pragma omp parallel for
    for (int64_t c = 0; c < blocks; c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        w->squares[c] = sum_squares(skip_gradient(training, w, block),
                                    length(block) * training->inputs);
    }
    sum_over_ranks(training->comm, &sum, w->squares, blocks, 1);
    return sum;
}

static double sum_of(const double *values, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

static double square_all(const struct training *training, struct workspace *w)
{
    const int64_t latents = training->latents, at_once = latents_at_once(training);
    const int64_t own = own_count(training);
    double sum;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t g = 0; g < split_blocks(latents, at_once); g++)
        square_decoder(training, w, split_block(latents, at_once, g));
    sum_over_ranks(training->comm, w->norms, w->block_norms,
                   split_blocks(length(training->own_columns), COLUMNS), latents);
    sum = sum_of(w->norms, latents);

    /* Each latent has one owner, the others bring 0: their order does not matter. */
    memset(w->norms, 0, (size_t)latents * sizeof *w->norms);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t g = 0; g < split_blocks(own, at_once); g++)
        square_encoder(training, w, w->norms, split_block(own, at_once, g));
    MPI_Allreduce(MPI_IN_PLACE, w->norms, mpi_count(latents), MPI_DOUBLE, MPI_SUM,
                  training->comm);
    sum += sum_of(w->norms, latents) + square_skip(training, w);
    return sum + sum_squares(w->decoder_bias_gradient, training->outputs);
}

/* All gradients are linear in the entries' coefficients. */
static void scale_gradients(const struct training *training, struct workspace *w, double factor)
{
    const int64_t entries = w->columns->start[training->latents];

    scale_values(w->columns->value, (float)factor, entries);
    scale_values(w->gradient, (float)factor, entries);
    scale_values(w->decoder_bias_gradient, (float)factor, training->outputs);
    for (int v = 0; v < VECTORS; v++)
        scale_values(w->vector_gradient[v], (float)factor, own_count(training));
    for (int64_t i = 0; i < training->latents; i++)
        w->along[i] *= factor;
    w->clipped = factor;
}

void clip_gradients(const struct training *training, struct workspace *workspace)
{
    workspace->clipped = 1;
    if (!(training->recipe.clip > 0))
        return;
    const double norm = sqrt(square_all(training, workspace));
    if (norm > training->recipe.clip)
        scale_gradients(training, workspace, training->recipe.clip / norm);
}
