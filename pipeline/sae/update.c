#include "sae/update.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/sparse.h"
#include "sae/decode.h"

#include <math.h>
#include <omp.h>

enum { SPARSE_GROUP = 32 };     /* latents a thread takes at once; rows do not depend on it */

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* One latent: sums over its entries, in the order of the rows. */
static void sum_latent(const struct training *training, struct workspace *w, int64_t latent,
                       double slope)
{
    const struct codes *codes = w->columns;
    const int64_t own = latent - training->own_latents.first;
    const bool mine = 0 <= own && own < length(training->own_latents);
    const float scale = 2 / (float)w->batch, half = (float)(training->recipe.bandwidth / 2);
    const float threshold = mine ? w->threshold[own] : 0;
    double bias = 0, along = 0, window = 0;
    int64_t in_window = codes->start[latent + 1] - codes->middle[latent];

    for (int64_t k = codes->start[latent]; k < codes->middle[latent]; k++) {
        const float value = codes->value[k], g = scale * w->gradient[k];
        const bool inside = value - threshold < half;
        w->gradient[k] = g;
        codes->value[k] = scale * value;
        bias += (double)g;
        along += (double)value * (double)g;
        window += inside ? (double)g : 0;
        in_window += inside;
    }
    for (int64_t k = codes->middle[latent]; k < codes->start[latent + 1]; k++)
        window += (double)(scale * w->gradient[k]);
    w->along[latent] = along;
    if (!mine)
        return;
    const double by_threshold = -((double)threshold * window
                                  + slope / (double)w->batch * (double)in_window)
                                / training->recipe.bandwidth;
    w->bias_gradient[own] = (float)bias;
    w->threshold_gradient[own] =
        (float)(training->recipe.log_threshold ? by_threshold * (double)threshold : by_threshold);
}

void find_latent_gradients(const struct training *training, struct workspace *workspace,
                           double slope)
{
    workspace->columns->groups = training->latents;
    codes_transpose(workspace->columns, workspace->gradient, workspace->rows, workspace->dots);
    #pragma omp parallel for schedule(dynamic, LATENT_TILE)
    for (int64_t latent = 0; latent < training->latents; latent++)
        sum_latent(training, workspace, latent, slope);
}

/* Encoder rows of one tile, weighted by their bias's gradient. */
static void sum_tile(const struct training *training, const struct workspace *w, int64_t tile)
{
    const struct range latents = split_block(length(training->own_latents), LATENT_TILE, tile);
    const int64_t inputs = training->inputs;
    double *sum = w->tile_sums + tile * inputs;

    for (int64_t j = 0; j < inputs; j++)
        sum[j] = 0;
    for (int64_t i = latents.first; i < latents.end; i++) {
        const float *row = training->tensors[ENCODER].value + i * inputs;
        const double g = (double)w->bias_gradient[i];
        for (int64_t j = 0; j < inputs; j++)
            sum[j] += g * (double)row[j];
    }
}

/* What a chain of sums adds up. */
struct addends {
    const double *values;       /* [count, width] */
    double       *sum;          /* [width] */
    int64_t       count, width;
};

static void add_all(void *context, int64_t piece)
{
    const struct addends *a = context;

    (void)piece;
    for (int64_t i = 0; i < a->count; i++)
        for (int64_t j = 0; j < a->width; j++)
            a->sum[j] += a->values[i * a->width + j];
}

void find_decoder_bias_gradient(const struct training *training, struct workspace *workspace,
                                const double *column_sums)
{
    struct workspace *w = workspace;
    const int64_t inputs = training->inputs, cuts[] = { 0, inputs };
    const int64_t tiles = split_blocks(length(training->own_latents), LATENT_TILE);
    const struct chain chain = { training->comm, MPI_DOUBLE, 1, cuts };
    struct addends addends = { w->tile_sums, w->encoder_sums, tiles, inputs };

    #pragma omp parallel for
    for (int64_t tile = 0; tile < tiles; tile++)
        sum_tile(training, w, tile);
    chain_sum(&chain, w->encoder_sums, add_all, &addends);
    for (int64_t j = 0; j < inputs; j++)
        w->decoder_bias_gradient[j] =
            (float)(2 / (double)w->batch * column_sums[j] - w->encoder_sums[j]);
}

/* Gradients of some latents' rows:  sum over their active entries of coefficient * x[row].
 *   gradient   [latents, columns]   out, at the end of this thread's scratch */
static float *weight_gradients(const struct training *training, struct workspace *w,
                               struct range latents, const float *coefficient, const float *x,
                               int64_t columns)
{
    const struct codes *codes = w->columns;
    const int64_t *start = codes->start + latents.first, *middle = codes->middle + latents.first;
    float *dense = w->scratch[omp_get_thread_num()], *gradient = dense + LATENT_TILE * w->batch;
    const int64_t count = length(latents);

    if (training->density <= DENSE_ABOVE) {
        sparse_combine(gradient, columns, start, middle, codes->index, coefficient, x, columns,
                       count, columns, false);
        return gradient;
    }
    sparse_expand(dense, start, middle, codes->index, coefficient, count, w->batch);
    for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        gemm_nn(gradient + block.first, columns, dense, w->batch, x + block.first, columns,
                count, length(block), w->batch, false);
    }
    return gradient;
}

static void move(struct tensor *tensor, int64_t first, int64_t count, const float *gradient,
                 double along, const struct adam *adam)
{
    adam_update(tensor->value + first, tensor->mean != NULL ? tensor->mean + first : NULL,
                tensor->square + first, gradient, (float)along, count, adam);
}

static void update_decoder(struct training *training, struct workspace *w, struct range latents,
                           const struct adam *adam)
{
    struct tensor *decoder = &training->tensors[DECODER];
    const int64_t columns = length(training->own_columns);
    const float *gradient = weight_gradients(training, w, latents, w->columns->value, w->residual,
                                             columns);

    for (int64_t i = latents.first; i < latents.end; i++) {
        move(decoder, i * columns, columns, gradient + (i - latents.first) * columns,
             w->along[i], adam);
        for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
            const struct range block = split_block(columns, COLUMNS, c);
            w->block_norms[c * training->latents + i] =
                sum_squares(decoder->value + i * columns + block.first, length(block));
        }
    }
}

static void update_encoder(struct training *training, struct workspace *w, struct range own,
                           const struct adam *adam)
{
    const int64_t inputs = training->inputs, first = training->own_latents.first;
    const struct range latents = { own.first + first, own.end + first };
    const float *gradient = weight_gradients(training, w, latents, w->gradient, w->centred, inputs);

    move(&training->tensors[ENCODER], own.first * inputs, length(own) * inputs, gradient, 0, adam);
}

/* Rows of the decoder back to norm 1. */
static void normalise_decoder(struct training *training, struct workspace *w)
{
    const int64_t columns = length(training->own_columns), cuts[] = { 0, training->latents };
    const struct chain chain = { training->comm, MPI_DOUBLE, 1, cuts };
    struct addends addends = { w->block_norms, w->norms, split_blocks(columns, COLUMNS),
                               training->latents };

    chain_sum(&chain, w->norms, add_all, &addends);
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        scale_values(training->tensors[DECODER].value + i * columns,
                     (float)(1 / sqrt(w->norms[i])), columns);
}

static void update_vectors(struct training *training, struct workspace *w,
                           const struct adam *adam)
{
    struct tensor *threshold = &training->tensors[THRESHOLD];
    const int64_t own = length(training->own_latents);

    move(&training->tensors[ENCODER_BIAS], 0, own, w->bias_gradient, 0, adam);
    move(&training->tensors[DECODER_BIAS], 0, training->inputs, w->decoder_bias_gradient, 0, adam);
    move(threshold, 0, own, w->threshold_gradient, 0, adam);
    for (int64_t i = 0; i < own && !training->recipe.log_threshold; i++)
        threshold->value[i] = fmaxf(threshold->value[i], 0);
}

void update(struct training *training, struct workspace *workspace)
{
    const struct adam adam = recipe_adam(&training->recipe, training->step);
    const int64_t group = training->density > DENSE_ABOVE ? LATENT_TILE : SPARSE_GROUP;
    const int64_t groups = split_blocks(training->latents, group);
    const int64_t own = length(training->own_latents), own_groups = split_blocks(own, group);

    #pragma omp parallel
    {
        #pragma omp for schedule(dynamic) nowait
        for (int64_t g = 0; g < groups; g++)
            update_decoder(training, workspace, split_block(training->latents, group, g), &adam);
        #pragma omp for schedule(dynamic)
        for (int64_t g = 0; g < own_groups; g++)
            update_encoder(training, workspace, split_block(own, group, g), &adam);
    }
    normalise_decoder(training, workspace);
    update_vectors(training, workspace, &adam);
}
