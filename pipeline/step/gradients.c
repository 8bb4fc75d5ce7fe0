#include "step/gradients.h"
#include "base/ordered_sum.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/decode.h"
#include "step/dense.h"
#include "step/encode.h"
#include "step/turns.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { LATENT_GROUP = 32 };     /* latents whose gradients exist at the same time */

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
    const struct ordered_sum chain = { comm, MPI_DOUBLE, 1, cuts, false };
    struct addends addends = { values, sum, count, width };

    ordered_sum_run(&chain, sum, add_all, &addends);
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
    struct range   latents;
    const int32_t *start, *end;
    const float   *coefficient;
};

/* The gradients of a matrix: each latent's is the sum that one of the terms gives, and another
 * one for its entries aside.  The x of term number i is residual number i, or the only one is what
 * the encoder sees; that of the entries aside is the residual behind. */
struct gradients {
    const struct training *training;
    struct workspace *w;
    struct term       terms[RESIDUALS_MOST], aside;
    int               count;
    bool              of_decoder, with_aside;
    struct range      latents;
    int64_t           columns;
    visit_gradient   *visit;
    void             *context;
};

static struct range overlap(struct range a, struct range b)
{
    return (struct range){ a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end };
}

/* What the encoder sees, some columns of it.
 *   returns   [batch, columns]   in `shared` */
static void *slice_input(const struct gradients *g, struct range columns)
{
    const enum precision precision = g->training->recipe.train.precision;
    const struct packed_rows input = encoder_input(g->training, g->w);
    const int64_t width = length(columns);
    char *slice = g->w->shared;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(g->w->batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(g->w->batch, ROW_BLOCK, b);
        float *values = g->w->scratch[omp_get_thread_num()];
        packed_rows_load(values, SLICE_COLUMNS, &input, rows, columns);
        slice_pack(slice + slice_bytes(precision, rows.first, width), precision, values,
                   SLICE_COLUMNS, length(rows), width);
    }
    return slice;
}

static void add_entries(const struct gradients *g, const struct term *term, float *gradient,
                        int64_t latent, const void *slice, int64_t columns)
{
    const int64_t first = term->start[latent];

    slice_combine(gradient, g->w->columns->index + first, term->coefficient + first,
                  term->end[latent] - first, slice, columns, g->training->recipe.train.precision);
}

/* One block of columns of a few latents.
 *   slices   of each term, and of the entries aside */
static void visit_latents(const struct gradients *g, struct range latents, struct range columns,
                          const char *slices)
{
    const int64_t width = length(columns), ld = slice_width(width);
    const int64_t each = slice_bytes(g->training->recipe.train.precision, g->w->batch, width);
    float *gradient = g->w->scratch[omp_get_thread_num()];

    for (int t = 0; t < g->count; t++) {
        const struct range group = overlap(latents, g->terms[t].latents);
        if (length(group) <= 0)
            continue;
        memset(gradient, 0, (size_t)(length(group) * ld) * sizeof *gradient);
        for (int64_t i = group.first; i < group.end; i++) {
            float *row = gradient + (i - group.first) * ld;
            add_entries(g, &g->terms[t], row, i, slices + t * each, width);
            if (g->with_aside)
                add_entries(g, &g->aside, row, i, slices + g->count * each, width);
        }
        g->visit(g->context, group, columns, gradient, ld);
    }
}

/* Block of columns by block: all threads share the slices of one. */
static void visit_sparse(const struct gradients *g)
{
    const int64_t groups = turn_pieces(g->w, g->latents, LATENT_GROUP);
    const int64_t wide = slice_columns(g->training->recipe.train.precision);

    for (int64_t c = 0; c < split_blocks(g->columns, wide); c++) {
        const struct range columns = split_block(g->columns, wide, c);
        const char *slices = g->of_decoder
            ? slice_residuals(g->training, g->w, g->count + g->with_aside, columns)
            : slice_input(g, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t p = 0; p < groups; p++)
            visit_latents(g, turn_piece(g->w, g->latents, LATENT_GROUP, p), columns, slices);
    }
}

/* Where products are dense there is one term, and nothing is made of entries aside. */
static void visit_all(const struct gradients *g)
{
    const struct term *term = g->terms;
    const struct dense_sum sum = { g->latents, term->start, term->end, term->coefficient,
                                   g->of_decoder ? g->w->residual[0]
                                                 : encoder_input(g->training, g->w) };

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
    struct gradients gradients = {
        .training = training,
        .w = workspace,
        .aside = { all, codes->middle, codes->start + 1, codes->value },
        .count = group_count(training),
        .of_decoder = true,
        .with_aside = workspace->aside_decoded
                      && training->recipe.architecture->aside == ASIDE_REST,
        .latents = all,
        .columns = length(training->own_columns),
        .visit = visit,
        .context = context,
    };

    for (int g = 0; g < gradients.count; g++)
        gradients.terms[g] = (struct term){ recipe_group(&training->recipe, training->latents, g),
                                            codes->start, codes->middle, codes->value };
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
                     workspace->gradient } },
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
        packed_rows_load(x, inputs, w->x, rows, (struct range){ 0, inputs });
        packed_rows_load(residual, COLUMNS, &w->residual[0], rows, columns);
        gemm_tn(gradient, inputs, residual, COLUMNS, x, inputs, width, inputs, length(rows), b > 0);
    }
    values_scale(gradient, (float)(residual_scale(training, w) * w->clipped), width * inputs);
    return gradient;
}
