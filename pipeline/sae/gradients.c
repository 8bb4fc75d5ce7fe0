#include "sae/gradients.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "kernels/sparse.h"
#include "sae/architecture.h"
#include "sae/decode.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LATENT_GROUP = 32 };     /* latents whose gradients exist at the same time */

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
    const struct chain chain = { comm, MPI_DOUBLE, 1, cuts, false };
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

    rows_combine(sum, w->input_sum + latents.first,
                 training->tensors[ENCODER].value + latents.first * inputs, length(latents),
                 inputs);
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
 *   start, end   [all latents] where the entries of each begin and end */
struct term {
    struct range    latents;
    const int32_t  *start, *end;
    const float    *coefficient;
    const float    *x;          /* [batch, columns]; or, if they have been rounded: */
    const uint16_t *rounded;
};

/* The gradients of a matrix: each latent's is the sum that one of the terms gives, and another
 * one for its entries aside. */
struct gradients {
    const struct training *training;
    struct workspace *w;
    struct term       terms[RESIDUALS_MOST], aside;
    int               count;
    bool              with_aside;
    struct range      latents;
    int64_t           columns;
    visit_gradient   *visit;
    void             *context;
};

static struct range overlap(struct range a, struct range b)
{
    return (struct range){ a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end };
}

/* One thread's room for dense products (dense_scratch(), workspace.c). */
struct dense {
    float *coefficients;    /* [LATENT_TILE, batch] */
    float *gradient;        /* [LATENT_TILE, columns] */
    float *x;               /* [batch, COLUMNS] */
};

/* A block of columns of a term's rows, `ld` from row to row. */
static const float *dense_rows(const struct gradients *g, const struct term *term, float *room,
                               struct range block, int64_t *ld)
{
    *ld = g->columns;
    if (term->rounded == NULL)
        return term->x + block.first;
    *ld = COLUMNS;
    for (int64_t row = 0; row < g->w->batch; row++)
        bf16_to_float(room + row * COLUMNS, term->rounded + row * g->columns + block.first,
                      length(block));
    return room;
}

/* Add a term's part to the gradients of some latents, by a dense product over all columns. */
static void add_dense(const struct gradients *g, const struct term *term, struct dense dense,
                      struct range latents)
{
    const struct range part = overlap(latents, term->latents);
    const int64_t batch = g->w->batch, columns = g->columns, count = length(part);

    if (count <= 0)
        return;
    dense.gradient += (part.first - latents.first) * columns;
    sparse_expand(dense.coefficients, term->start + part.first, term->end + part.first,
                  g->w->columns->index, term->coefficient, count, batch);
    for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        int64_t ld;
        const float *x = dense_rows(g, term, dense.x, block, &ld);
        gemm_nn(dense.gradient + block.first, columns, dense.coefficients, batch, x, ld, count,
                length(block), batch, true);
    }
}

/* Tile by tile. */
static void visit_dense(const struct gradients *g)
{
    const int64_t count = length(g->latents);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t t = 0; t < split_blocks(count, LATENT_TILE); t++) {
        const struct range tile = split_block(count, LATENT_TILE, t);
        const struct range latents = { g->latents.first + tile.first,
                                       g->latents.first + tile.end };
        float *room = g->w->scratch[omp_get_thread_num()];
        const struct dense dense = { room, room + LATENT_TILE * g->w->batch,
                                     room + LATENT_TILE * (g->w->batch + g->columns) };

        memset(dense.gradient, 0, (size_t)(length(latents) * g->columns) * sizeof(float));
        for (int i = 0; i < g->count; i++)
            add_dense(g, &g->terms[i], dense, latents);
        if (g->with_aside)
            add_dense(g, &g->aside, dense, latents);
        g->visit(g->context, latents, (struct range){ 0, g->columns }, dense.gradient, g->columns);
    }
}

static void add_entries(const struct gradients *g, const struct term *term, float *gradient,
                        int64_t latent, const void *slice, int64_t columns)
{
    const int64_t first = term->start[latent];

    slice_combine(gradient, g->w->columns->index + first, term->coefficient + first,
                  term->end[latent] - first, slice, columns, g->training->recipe.precision);
}

static void pack_rows(const struct gradients *g, void *slice, const struct term *term,
                      struct range columns)
{
    if (term->rounded != NULL)
        slice_pack_rounded(slice, term->rounded + columns.first, g->columns, g->w->batch,
                           length(columns));
    else
        slice_pack(slice, g->training->recipe.precision, term->x + columns.first, g->columns,
                   g->w->batch, length(columns));
}

/* One block of columns of some latents: the batch's slices are packed once for all of them. */
static void visit_block(const struct gradients *g, struct range latents, struct range columns)
{
    const enum precision precision = g->training->recipe.precision;
    const int64_t batch = g->w->batch, width = length(columns), ld = slice_width(width);
    char *slice = (char *)g->w->scratch[omp_get_thread_num()];
    char *aside = slice + slice_bytes(precision, batch, width);
    float *gradient = (float *)(aside + slice_bytes(precision, batch, width));

    if (g->with_aside)
        pack_rows(g, aside, &g->aside, columns);
    for (int t = 0; t < g->count; t++) {
        const struct range part = overlap(latents, g->terms[t].latents);
        if (length(part) <= 0)
            continue;
        pack_rows(g, slice, &g->terms[t], columns);
        for (int64_t from = part.first; from < part.end; from += LATENT_GROUP) {
            const struct range group = overlap((struct range){ from, from + LATENT_GROUP }, part);
            memset(gradient, 0, (size_t)(LATENT_GROUP * ld) * sizeof *gradient);
            for (int64_t i = group.first; i < group.end; i++) {
                add_entries(g, &g->terms[t], gradient + (i - from) * ld, i, slice, width);
                if (g->with_aside)
                    add_entries(g, &g->aside, gradient + (i - from) * ld, i, aside, width);
            }
            g->visit(g->context, group, columns, gradient, ld);
        }
    }
}

/* Block of columns by block; if there are too few for all threads, the latents are cut too. */
static void visit_sparse(const struct gradients *g)
{
    const int64_t blocks = split_blocks(g->columns, SLICE_COLUMNS);
    const int64_t groups = split_blocks(length(g->latents), LATENT_GROUP);
    const int parts = (int)split_blocks(3 * g->w->threads, blocks > 0 ? blocks : 1);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < blocks * parts; p++) {
        const struct range part = split_range(groups, (int)(p % parts), parts);
        const struct range latents = { g->latents.first + part.first * LATENT_GROUP,
                                       g->latents.first + part.end * LATENT_GROUP };
        visit_block(g, overlap(latents, g->latents),
                    split_block(g->columns, SLICE_COLUMNS, p / parts));
    }
}

static void visit_all(const struct gradients *gradients)
{
    if (gradients->training->density > DENSE_ABOVE)
        visit_dense(gradients);
    else
        visit_sparse(gradients);
}

void visit_decoder_gradients(const struct training *training, struct workspace *workspace,
                             visit_gradient *visit, void *context)
{
    const struct codes *codes = workspace->columns;
    const struct range all = { 0, training->latents };
    const int groups = group_count(training);
    struct gradients gradients = {
        .training = training,
        .w = workspace,
        .aside = { all, codes->middle, codes->start + 1, codes->value,
                   workspace->residual[groups], NULL },
        .count = groups,
        .with_aside = workspace->aside_decoded
                      && training->recipe.architecture->aside == ASIDE_REST,
        .latents = all,
        .columns = length(training->own_columns),
        .visit = visit,
        .context = context,
    };

    for (int g = 0; g < groups; g++)
        gradients.terms[g] = (struct term){ recipe_group(&training->recipe, training->latents, g),
                                            codes->start, codes->middle, codes->value,
                                            workspace->residual[g], NULL };
    visit_all(&gradients);
}

void visit_encoder_gradients(const struct training *training, struct workspace *workspace,
                             visit_gradient *visit, void *context)
{
    const struct codes *codes = workspace->columns;
    const enum aside aside = training->recipe.architecture->aside;
    const struct range own = training->own_latents;
    const bool rounded = training->recipe.precision == PRECISION_BF16;
    const struct gradients gradients = {
        .training = training,
        .w = workspace,
        .terms = { { own, aside == ASIDE_ROW ? codes->middle : codes->start,
                     aside == ASIDE_NEAR ? codes->middle : codes->start + 1,
                     workspace->gradient, workspace->input,
                     rounded ? workspace->rounded : NULL } },
        .count = 1,
        .latents = own,
        .columns = training->inputs,
        .visit = visit,
        .context = context,
    };

    visit_all(&gradients);
}

float *skip_gradient(const struct training *training, struct workspace *workspace,
                     struct range columns)
{
    const int64_t own = length(training->own_columns), inputs = training->inputs;
    float *gradient = workspace->scratch[omp_get_thread_num()];

    gemm_tn(gradient, inputs, workspace->residual[0] + columns.first, own, workspace->input,
            inputs, length(columns), inputs, workspace->batch, false);
    scale_values(gradient, (float)(residual_scale(training, workspace) * workspace->clipped),
                 length(columns) * inputs);
    return gradient;
}
