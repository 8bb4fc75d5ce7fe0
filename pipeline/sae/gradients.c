#include "sae/gradients.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/sparse.h"
#include "sae/architecture.h"
#include "sae/decode.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { SPARSE_GROUP = 32 };

int64_t latents_at_once(const struct training *training)
{
    return training->density > DENSE_ABOVE ? LATENT_TILE : SPARSE_GROUP;
}

static int64_t length(struct range range)
{
    return range.end - range.first;
}

void find_latent_gradients(const struct training *training, struct workspace *workspace)
{
    const struct architecture *architecture = training->recipe.architecture;

    workspace->columns->groups = training->latents;
    codes_transpose(workspace->columns, workspace->gradient, workspace->rows, workspace->dots);
    #pragma omp parallel for schedule(dynamic, LATENT_TILE)
    for (int64_t latent = 0; latent < training->latents; latent++)
        architecture->differentiate(training, workspace, latent);
}

/* ---- sums over ranks ---------------------------------------------------------------- */

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

void sum_over_ranks(MPI_Comm comm, double *sum, const double *values, int64_t count,
                    int64_t width)
{
    const int64_t cuts[] = { 0, width };
    const struct chain chain = { comm, MPI_DOUBLE, 1, cuts };
    struct addends addends = { values, sum, count, width };

    chain_sum(&chain, sum, add_all, &addends);
}

/* ---- the decoder's bias ------------------------------------------------------------- */

/* Encoder rows of one tile, weighted by the sums of their gradients. */
static void sum_tile(const struct training *training, const struct workspace *w, int64_t tile)
{
    const struct range latents = split_block(length(training->own_latents), LATENT_TILE, tile);
    const int64_t inputs = training->inputs;
    double *sum = w->tile_sums + tile * inputs;

    memset(sum, 0, (size_t)inputs * sizeof *sum);
    for (int64_t i = latents.first; i < latents.end; i++) {
        const float *row = training->tensors[ENCODER].value + i * inputs;
        for (int64_t j = 0; j < inputs; j++)
            sum[j] += w->input_sum[i] * (double)row[j];
    }
}

void find_decoder_bias_gradient(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const int64_t tiles = split_blocks(length(training->own_latents), LATENT_TILE);
    const double scale = residual_scale(training, w);

    for (int64_t j = 0; j < training->outputs; j++)
        w->decoder_bias_gradient[j] = (float)(scale * w->column_sums[j]);
    if (!training->centred)
        return;
    #pragma omp parallel for
    for (int64_t tile = 0; tile < tiles; tile++)
        sum_tile(training, w, tile);
    sum_over_ranks(training->comm, w->encoder_sums, w->tile_sums, tiles, training->inputs);
    for (int64_t j = 0; j < training->inputs; j++)
        w->decoder_bias_gradient[j] = (float)(scale * w->column_sums[j] - w->encoder_sums[j]);
}

/* ---- weights ------------------------------------------------------------------------ */

/* Sums over entries of coefficient * x[row], for some latents.
 *   start, end   of each of these latents */
struct entry_sum {
    const int64_t *start, *end;
    const float   *coefficient;
    const float   *x;           /* [batch, columns] */
    int64_t        latents, columns;
    bool           add;         /* to what is there */
};

static void sum_entries(const struct training *training, struct workspace *w, float *out,
                        const struct entry_sum *s)
{
    float *dense = w->scratch[omp_get_thread_num()];

    if (training->density <= DENSE_ABOVE) {
        sparse_combine(out, s->columns, s->start, s->end, w->columns->index, s->coefficient, s->x,
                       s->columns, s->latents, s->columns, s->add);
        return;
    }
    sparse_expand(dense, s->start, s->end, w->columns->index, s->coefficient, s->latents,
                  w->batch);
    for (int64_t c = 0; c < split_blocks(s->columns, COLUMNS); c++) {
        const struct range block = split_block(s->columns, COLUMNS, c);
        gemm_nn(out + block.first, s->columns, dense, w->batch, s->x + block.first, s->columns,
                s->latents, length(block), w->batch, s->add);
    }
}

/* Behind the dense codes of a tile. */
static float *gradient_room(const struct workspace *w)
{
    return w->scratch[omp_get_thread_num()] + LATENT_TILE * w->batch;
}

static struct range overlap(struct range a, struct range b)
{
    return (struct range){ a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end };
}

float *decoder_gradient(const struct training *training, struct workspace *workspace,
                        struct range latents)
{
    const struct codes *codes = workspace->columns;
    const int groups = group_count(training);
    float *gradient = gradient_room(workspace);
    struct entry_sum sum = { .coefficient = codes->value,
                             .columns = length(training->own_columns) };

    for (int g = 0; g < groups; g++) {
        const struct range part = overlap(latents,
                                          recipe_group(&training->recipe, training->latents, g));
        if (part.end <= part.first)
            continue;
        sum.start = codes->start + part.first;
        sum.end = codes->middle + part.first;
        sum.x = workspace->residual[g];
        sum.latents = length(part);
        sum_entries(training, workspace, gradient + (part.first - latents.first) * sum.columns,
                    &sum);
    }
    if (workspace->aside_decoded && training->recipe.architecture->aside == ASIDE_REST) {
        sum.start = codes->middle + latents.first;
        sum.end = codes->start + latents.first + 1;
        sum.x = workspace->residual[groups];
        sum.latents = length(latents);
        sum.add = true;
        sum_entries(training, workspace, gradient, &sum);
    }
    return gradient;
}

float *encoder_gradient(const struct training *training, struct workspace *workspace,
                        struct range latents)
{
    const struct codes *codes = workspace->columns;
    const enum aside aside = training->recipe.architecture->aside;
    const int64_t *start = codes->start + latents.first, *middle = codes->middle + latents.first;
    float *gradient = gradient_room(workspace);
    const struct entry_sum sum = {
        .start = aside == ASIDE_ROW ? middle : start,
        .end = aside == ASIDE_NEAR ? middle : start + 1,
        .coefficient = workspace->gradient,
        .x = workspace->input,
        .latents = length(latents),
        .columns = training->inputs,
    };

    sum_entries(training, workspace, gradient, &sum);
    return gradient;
}

float *skip_gradient(const struct training *training, struct workspace *workspace,
                     struct range columns)
{
    const int64_t own = length(training->own_columns), inputs = training->inputs;
    float *gradient = gradient_room(workspace);

    gemm_tn(gradient, inputs, workspace->residual[0] + columns.first, own, workspace->input,
            inputs, length(columns), inputs, workspace->batch, false);
    scale_values(gradient, (float)(residual_scale(training, workspace) * workspace->clipped),
                 length(columns) * inputs);
    return gradient;
}
