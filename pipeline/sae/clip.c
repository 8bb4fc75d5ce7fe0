#include "kernels/bf16.h"
#include "kernels/slice.h"
#include "sae/architecture.h"
#include "sae/gradients.h"

#include <math.h>
#include <string.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

struct squarer {
    const struct training *training;
    struct workspace *w;
};

/* Squared norms of some decoder rows' gradients, without the part that is taken away, in each
 * block of own columns. */
static void square_decoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const int64_t own = length(s->training->own_columns), width = length(columns);

    for (int64_t i = latents.first; i < latents.end; i++) {
        const float *row = s->training->tensors[DECODER].value + i * own + columns.first;
        float *g = gradient + (i - latents.first) * ld;
        for (int64_t j = 0; j < width; j++)
            g[j] -= (float)s->w->along[i] * row[j];
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->w->block_norms[(columns.first / COLUMNS + c) * s->training->latents + i] =
                sum_squares(g + block.first, length(block));
        }
    }
}

/* Those of encoder rows, in each block of columns. */
static void square_encoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const int64_t own = own_count(s->training), first = s->training->own_latents.first;
    const int64_t width = length(columns);

    for (int64_t i = latents.first; i < latents.end; i++)
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->w->block_norms[(columns.first / COLUMNS + c) * own + i - first] =
                sum_squares(gradient + (i - latents.first) * ld + block.first, length(block));
        }
}

/* Those of the own latents' encoder rows and vectors. */
static void square_latents(const struct training *training, struct workspace *w)
{
    const int64_t own = own_count(training), first = training->own_latents.first;

    visit_encoder_gradients(training, w, square_encoder, &(struct squarer){ training, w });
    for (int64_t i = 0; i < own; i++) {
        double *norm = &w->norms[first + i];
        for (int64_t c = 0; c < split_blocks(training->inputs, COLUMNS); c++)
            *norm += w->block_norms[c * own + i];
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
    const int64_t latents = training->latents;
    double sum;

    visit_decoder_gradients(training, w, square_decoder, &(struct squarer){ training, w });
    sum_over_ranks(training->comm, w->norms, w->block_norms,
                   split_blocks(length(training->own_columns), COLUMNS), latents);
    sum = sum_of(w->norms, latents);

    /* Each latent has one owner, the others bring 0: their order does not matter. */
    memset(w->norms, 0, (size_t)latents * sizeof *w->norms);
    square_latents(training, w);
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
