#include "sae/gradients.h"
#include "base/chain.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "sae/architecture.h"
#include "sae/decode.h"
#include "sae/dense.h"
#include "sae/encode.h"
#include "sae/turns.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LATENT_GROUP = 32,       /* latents whose gradients exist at the same time */
       PACK_ROWS = 16 };        /* rows that are float32 while they become part of a slice */

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* The own encoder rows of one tile, weighted by the sums of their gradients. */
static void sum_tile(const struct training *training, const struct workspace *w,
                     struct range tile)
{
    const int64_t first = tile.first - training->own_latents.first, inputs = training->inputs;
    double *sum = (double *)w->scratch[omp_get_thread_num()];

    rows_combine(sum, w->input_sum + first, training->tensors[ENCODER].value + first * inputs,
                 length(tile), inputs);
    for (int64_t j = 0; j < inputs; j++)
        w->tile_sums[first / LATENT_TILE * inputs + j] = (float)sum[j];
}

void find_latent_gradients(const struct training *training, struct workspace *workspace)
{
    const struct range all = { 0, training->latents }, own = training->own_latents;
    struct workspace *w = workspace;

    w->columns->groups = training->latents;
    codes_transpose(w->columns, w->gradient, w->rows, w->dots);
    #pragma omp parallel
    {
        #pragma omp for schedule(dynamic)
        for (int64_t p = 0; p < turn_pieces(w, all, LATENT_GROUP); p++) {
            const struct range group = turn_piece(w, all, LATENT_GROUP, p);
            for (int64_t latent = group.first; latent < group.end; latent++)
                training->recipe.architecture->differentiate(training, w, latent);
        }
        #pragma omp for
        for (int64_t t = 0; t < turn_pieces(w, own, LATENT_TILE); t++)
            if (training->centred)
                sum_tile(training, w, turn_piece(w, own, LATENT_TILE, t));
    }
}

/* ---- sums over ranks ---------------------------------------------------------------- */

struct addends {
    const float  *values;       /* [count, width] */
    double       *sum;          /* [width] */
    int64_t       count, width;
};

static void add_all(void *context, int64_t piece)
{
    const struct addends *a = context;

    (void)piece;
    for (int64_t i = 0; i < a->count; i++)
        for (int64_t j = 0; j < a->width; j++)
            a->sum[j] += (double)a->values[i * a->width + j];
}

void sum_over_ranks(MPI_Comm comm, double *sum, const float *values, int64_t count,
                    int64_t width)
{
    const int64_t cuts[] = { 0, width };
    const struct chain chain = { comm, MPI_DOUBLE, 1, cuts, false };
    struct addends addends = { values, sum, count, width };

    chain_sum(&chain, sum, add_all, &addends);
}

/* ---- the decoder's bias ------------------------------------------------------------- */

void find_decoder_bias_gradient(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const int64_t tiles = split_blocks(length(training->own_latents), LATENT_TILE);
    const double scale = residual_scale(training, w);

    for (int64_t j = 0; j < training->outputs; j++)
        w->decoder_bias_gradient[j] = (float)(scale * w->column_sums[j]);
    if (!training->centred)
        return;
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
    struct stored_rows x;       /* [batch, columns] */
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
    const enum precision precision = g->training->recipe.precision;
    float values[PACK_ROWS * SLICE_COLUMNS];

    for (int64_t p = 0; p < split_blocks(g->w->batch, PACK_ROWS); p++) {
        const struct range rows = split_block(g->w->batch, PACK_ROWS, p);
        rows_load(values, SLICE_COLUMNS, &term->x, rows, columns);
        slice_pack((char *)slice + slice_bytes(precision, rows.first, length(columns)), precision,
                   values, SLICE_COLUMNS, length(rows), length(columns));
    }
}

/* From the first to the last of some of the turn's groups of latents. */
static struct range span_of(const struct gradients *g, struct range groups)
{
    if (groups.first >= groups.end)
        return (struct range){0};
    return (struct range){ turn_piece(g->w, g->latents, LATENT_GROUP, groups.first).first,
                           turn_piece(g->w, g->latents, LATENT_GROUP, groups.end - 1).end };
}

/* One block of columns of some of the turn's groups of latents: the batch's slices are packed once
 * for all of them. */
static void visit_block(const struct gradients *g, struct range groups, struct range columns)
{
    const enum precision precision = g->training->recipe.precision;
    const int64_t batch = g->w->batch, width = length(columns), ld = slice_width(width);
    char *slice = (char *)g->w->scratch[omp_get_thread_num()];
    char *aside = slice + slice_bytes(precision, batch, width);
    char *behind = g->with_aside ? aside + slice_bytes(precision, batch, width) : aside;
    float *gradient = (float *)behind;

    if (g->with_aside)
        pack_rows(g, aside, &g->aside, columns);
    for (int t = 0; t < g->count; t++) {
        const struct term *term = &g->terms[t];
        if (length(overlap(span_of(g, groups), term->latents)) <= 0)
            continue;
        pack_rows(g, slice, term, columns);
        for (int64_t p = groups.first; p < groups.end; p++) {
            const struct range group = overlap(turn_piece(g->w, g->latents, LATENT_GROUP, p),
                                               term->latents);
            if (length(group) <= 0)
                continue;
            memset(gradient, 0, (size_t)(length(group) * ld) * sizeof *gradient);
            for (int64_t i = group.first; i < group.end; i++) {
                float *row = gradient + (i - group.first) * ld;
                add_entries(g, term, row, i, slice, width);
                if (g->with_aside)
                    add_entries(g, &g->aside, row, i, aside, width);
            }
            g->visit(g->context, group, columns, gradient, ld);
        }
    }
}

/* Block of columns by block; if there are too few for all threads, the latents are cut too. */
static void visit_sparse(const struct gradients *g)
{
    const int64_t blocks = split_blocks(g->columns, SLICE_COLUMNS);
    const int64_t groups = turn_pieces(g->w, g->latents, LATENT_GROUP);
    const int parts = (int)split_blocks(3 * g->w->threads, blocks > 0 ? blocks : 1);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < blocks * parts; p++)
        visit_block(g, split_range(groups, (int)(p % parts), parts),
                    split_block(g->columns, SLICE_COLUMNS, p / parts));
}

/* Where products are dense there is one term, and nothing is made of entries aside. */
static void visit_all(const struct gradients *g)
{
    const struct term *term = g->terms;
    const struct dense_sum sum = { g->latents, term->start, term->end, term->coefficient, term->x };

    if (is_dense(g->training))
        dense_gradients(g->w, &sum, g->visit, g->context);
    else
        visit_sparse(g);
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
                   workspace->residual[groups] },
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
                                            workspace->residual[g] };
    visit_all(&gradients);
}

void visit_encoder_gradients(const struct training *training, struct workspace *workspace,
                             visit_gradient *visit, void *context)
{
    const struct codes *codes = workspace->columns;
    const enum aside aside = training->recipe.architecture->aside;
    const struct range own = training->own_latents;
    const struct gradients gradients = {
        .training = training,
        .w = workspace,
        .terms = { { own, aside == ASIDE_ROW ? codes->middle : codes->start,
                     aside == ASIDE_NEAR ? codes->middle : codes->start + 1,
                     workspace->gradient, encoder_input(training, workspace) } },
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
    const struct workspace *w = workspace;
    const int64_t inputs = training->inputs, width = length(columns);
    float *gradient = w->scratch[omp_get_thread_num()];
    float *x = gradient + COLUMNS * inputs, *residual = x + ROW_BLOCK * inputs;

    for (int64_t b = 0; b < split_blocks(w->batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, b);
        rows_load(x, inputs, w->x, rows, (struct range){ 0, inputs });
        rows_load(residual, COLUMNS, &w->residual[0], rows, columns);
        gemm_tn(gradient, inputs, residual, COLUMNS, x, inputs, width, inputs, length(rows), b > 0);
    }
    scale_values(gradient, (float)(residual_scale(training, w) * w->clipped), width * inputs);
    return gradient;
}
