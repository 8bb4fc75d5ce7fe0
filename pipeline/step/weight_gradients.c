#include "step/weight_gradients.h"
#include "kernels/gemm.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/decode.h"

#include <omp.h>
#include <string.h>

enum { LATENT_GROUP = 32 };     /* latents whose gradients exist at the same time */

/* For some latents sums over their entries of coefficient * x[row]. */
struct term {
    struct range   latents;
    struct section section;     /* [all latents] */
    const float   *coefficient;
    const struct packed_rows *x;
};

/* The gradient of a matrix.  Decoder: a term for each group of latents, with the group's residual;
 * AuxK adds to all of them a term with the residual of its entries.  Encoder: one term, with what
 * the encoder sees. */
struct matrix {
    const struct weight_sources *sources;
    struct term     terms[RESIDUALS_MOST];
    int             groups, count;      /* terms of groups of latents; all terms */
    struct range    latents;
    int64_t         columns;
    visit_gradient *visit;
    void           *context;
};

static struct range overlap(struct range a, struct range b)
{
    return (struct range){ a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end };
}

/* ---- entry by entry ------------------------------------------------------------------ */

/* Copy some columns of x into a slice (slice.h). */
static void pack_slice(const struct matrix *m, const struct packed_rows *x, struct range columns,
                       char *slice)
{
    const enum precision precision = m->sources->training->recipe.train.precision;
    const int64_t batch = m->sources->batch->rows, width = range_length(columns);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(batch, ROW_BLOCK, b);
        float *values = step_scratch_own(m->sources->scratch);
        packed_rows_load(values, SLICE_COLUMNS, x, rows, columns);
        slice_pack(slice + slice_bytes(precision, rows.first, width), precision, values,
                   SLICE_COLUMNS, range_length(rows), width);
    }
}

static int64_t slice_size(const struct matrix *m, int64_t width)
{
    const enum precision precision = m->sources->training->recipe.train.precision;

    return slice_bytes(precision, m->sources->batch->rows, width);
}

static void add_term(const struct matrix *m, const struct term *term, float *gradient,
                     int64_t latent, const void *slice, int64_t columns)
{
    const int64_t first = term->section.start[latent];

    slice_combine(gradient, m->sources->gradients->latents.index + first,
                  term->coefficient + first, term->section.end[latent] - first, slice, columns,
                  m->sources->training->recipe.train.precision);
}

/* One block of columns of a few latents. */
static void visit_latents(const struct matrix *m, struct range latents, struct range columns)
{
    const int64_t width = range_length(columns), ld = slice_width(width);
    const int64_t each = slice_size(m, width);
    const struct step_scratch *scratch = m->sources->scratch;
    const char *slices = scratch->shared;
    float *gradient = step_scratch_own(scratch);

    for (int t = 0; t < m->groups; t++) {
        const struct range group = overlap(latents, m->terms[t].latents);
        if (range_length(group) <= 0)
            continue;
        memset(gradient, 0, (size_t)(range_length(group) * ld) * sizeof *gradient);
        for (int64_t i = group.first; i < group.end; i++) {
            float *row = gradient + (i - group.first) * ld;
            add_term(m, &m->terms[t], row, i, slices + t * each, width);
            for (int a = m->groups; a < m->count; a++)
                add_term(m, &m->terms[a], row, i, slices + a * each, width);
        }
        m->visit(m->context, group, columns, gradient, ld);
    }
}

/* Block of columns by block: all threads share the slices of one. */
static void visit_sparse(const struct matrix *m)
{
    const struct pass pass = m->sources->gradients->pass;
    const int64_t wide = slice_columns(m->sources->training->recipe.train.precision);

    for (int64_t c = 0; c < split_blocks(m->columns, wide); c++) {
        const struct range columns = split_block(m->columns, wide, c);
        const int64_t each = slice_size(m, range_length(columns));
        for (int t = 0; t < m->count; t++)
            pack_slice(m, m->terms[t].x, columns, (char *)m->sources->scratch->shared + t * each);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t p = 0; p < pass_pieces(pass, m->latents, LATENT_GROUP); p++)
            visit_latents(m, pass_piece(pass, m->latents, LATENT_GROUP, p), columns);
    }
}

/* ---- all of it ----------------------------------------------------------------------- */

/* Where products are dense there is one term. */
static void visit_matrix(const struct matrix *m)
{
    const struct weight_sources *sources = m->sources;
    const struct dense_sum sum = {
        .pass = sources->gradients->pass,
        .latents = m->latents,
        .codes = &sources->gradients->latents,
        .section = m->terms[0].section,
        .coefficient = m->terms[0].coefficient,
        .rows = sources->batch->rows,
        .x = *m->terms[0].x,
    };

    if (dense_is_used(sources->training))
        dense_gradients(&sum, sources->scratch, m->visit, m->context);
    else
        visit_sparse(m);
}

void weight_gradients_decoder(const struct weight_sources *sources, visit_gradient *visit,
                              void *context)
{
    const struct training *training = sources->training;
    const struct residuals *residuals = sources->residuals;
    const struct codes *codes = &sources->gradients->latents;
    const bool auxk = residuals->count > residuals->groups
                      && training->architecture->auxiliary == AUXILIARY_REST;
    const struct range all = { 0, training->latents };
    struct matrix matrix = { .sources = sources, .groups = residuals->groups,
                             .count = residuals->groups + auxk, .latents = all,
                             .columns = training_own_columns(training), .visit = visit,
                             .context = context };

    for (int g = 0; g < matrix.groups; g++)
        matrix.terms[g] = (struct term){
            recipe_group(&training->recipe, training->latents, g),
            { codes->start, codes->middle }, codes->value, &residuals->rows[g],
        };
    matrix.terms[matrix.groups] = (struct term){
        all, { codes->middle, codes->start + 1 }, codes->value, &residuals->rows[matrix.groups],
    };
    visit_matrix(&matrix);
}

void weight_gradients_encoder(const struct weight_sources *sources, visit_gradient *visit,
                              void *context)
{
    const struct training *training = sources->training;
    const struct codes *codes = &sources->gradients->latents;
    const enum auxiliary auxiliary = training->architecture->auxiliary;
    const struct range own = training->own_latents;
    const struct packed_rows input = batch_encoder_input(sources->batch, training);
    const struct matrix matrix = {
        .sources = sources,
        .terms = { { own, { auxiliary == AUXILIARY_ROW ? codes->middle : codes->start,
                            auxiliary == AUXILIARY_NEAR ? codes->middle : codes->start + 1 },
                     sources->gradients->gradient, &input } },
        .groups = 1,
        .count = 1,
        .latents = own,
        .columns = training->inputs,
        .visit = visit,
        .context = context,
    };

    visit_matrix(&matrix);
}

float *weight_gradients_skip(const struct weight_sources *sources, struct range columns)
{
    const int64_t inputs = sources->training->inputs, width = range_length(columns);
    const int64_t batch = sources->batch->rows;
    float *gradient = step_scratch_own(sources->scratch);
    float *x = gradient + COLUMNS * inputs, *residual = x + ROW_BLOCK * inputs;

    for (int64_t b = 0; b < split_blocks(batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(batch, ROW_BLOCK, b);
        packed_rows_load(x, inputs, sources->batch->x, rows, (struct range){ 0, inputs });
        packed_rows_load(residual, COLUMNS, &sources->residuals->rows[0], rows, columns);
        gemm_tn(gradient, inputs, residual, COLUMNS, x, inputs, width, inputs, range_length(rows),
                b > 0);
    }
    values_scale(gradient,
                 (float)(residuals_scale(sources->training) * sources->gradients->factor),
                 width * inputs);
    return gradient;
}

/* Shared are slices of the terms.  Each thread has a block of one, or of gradients, or the
 * operands and the gradient of a block of a skip matrix. */
struct scratch_size weight_gradients_scratch(const struct step_sizes *sizes)
{
    const struct step_needs *needs = &sizes->needs;
    const int64_t block = (int64_t)ROW_BLOCK * SLICE_COLUMNS;
    const int64_t skip = (COLUMNS + (int64_t)ROW_BLOCK) * needs->shape.inputs
                         + ROW_BLOCK * COLUMNS;

    return (struct scratch_size){
        .shared = needs->residuals * slice_bytes(needs->precision, needs->batch,
                                                 decode_widest_slice(sizes)),
        .own = (needs->skip && skip > block ? skip : block) * (int64_t)sizeof(float),
    };
}
