#include "step/decode.h"
#include "base/minmax.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/dense.h"

#include <omp.h>
#include <string.h>

/* What threads work with; decode_dots() has no batch. */
struct decoding {
    const struct training *training;
    const struct batch *batch;
    const struct lists *lists;
    struct step_scratch *scratch;
    const struct residuals *residuals;
    float *dots;
};

static bool is_first(const struct decoding *d)
{
    return d->lists->pass.number == 0;
}

/* Are the residuals complete with this pass? */
static bool is_last(const struct decoding *d)
{
    return d->lists->pass.number == d->lists->pass.count - 1;
}

static struct residual_block block_of(const struct decoding *d, struct range rows,
                                      struct range columns)
{
    return residuals_block(d->residuals, d->scratch, rows, columns);
}

/* ---- slices -------------------------------------------------------------------------- */

/* Copy a block of columns of the decoder rows of the pass into the shared scratch. */
static void pack_decoder(const struct decoding *d, struct range columns)
{
    const enum precision precision = d->training->recipe.train.precision;
    const struct range all = { 0, d->training->latents };
    const struct pass pass = d->lists->pass;
    const int64_t own = training_own_columns(d->training), width = range_length(columns);
    const float *decoder = d->training->tensors[DECODER].value + columns.first;

    #pragma omp parallel for
    for (int64_t t = 0; t < pass_pieces(pass, all, LATENT_TILE); t++) {
        const struct range latents = pass_piece(pass, all, LATENT_TILE, t);
        slice_pack((char *)d->scratch->shared + slice_bytes(precision, latents.first, width),
                   precision, decoder + latents.first * own, own, range_length(latents), width);
    }
}

/* Call visit() on all blocks of some rows.  The next slice of the decoder begins when all rows have
 * met the one before, which stays in cache so long. */
static void visit_blocks(const struct decoding *d, struct range rows,
                         void (*visit)(const struct decoding *, struct range, struct range))
{
    const int64_t own = training_own_columns(d->training);
    const int64_t wide = slice_columns(d->training->recipe.train.precision);
    const int64_t row_blocks = split_blocks(range_length(rows), ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, wide); c++) {
        const struct range columns = split_block(own, wide, c);
        pack_decoder(d, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            const struct range part = split_block(range_length(rows), ROW_BLOCK, b);
            const struct range block = { rows.first + part.first, rows.first + part.end };
            visit(d, block, columns);
        }
    }
}

/* ---- dot products -------------------------------------------------------------------- */

/* Auxiliary entries that are not decoded follow the active ones of the last group, and need the
 * same residual. */
static bool with_auxiliary(const struct residuals *residuals, int r)
{
    return r == residuals->groups - 1 && residuals->count == residuals->groups;
}

/* Add those of one row of a block, with the decoder's slice in the shared scratch. */
static void dots_of_row(const struct decoding *d, const struct residual_block *block, int64_t row)
{
    const struct codes *rows = &d->lists->rows;
    const int64_t at = block->rows.first + row;

    for (int r = 0; r < block->count; r++) {
        const struct section section = residuals_section(d->residuals, d->lists, r);
        const int32_t *end = with_auxiliary(d->residuals, r) ? rows->start + 1 : section.end;
        const int64_t first = section.start[at];
        slice_dots(d->dots + first, rows->index + first, end[at] - first,
                   residuals_row(block, r, row), d->scratch->shared, range_length(block->columns),
                   d->training->recipe.train.precision);
    }
}

static void dots_of_block(const struct decoding *d, struct range rows, struct range columns)
{
    const struct residual_block block = block_of(d, rows, columns);

    residuals_load(d->residuals, &block);
    for (int64_t row = 0; row < range_length(rows); row++)
        dots_of_row(d, &block, row);
}

static void dots_dense(const struct decoding *d, struct range rows)
{
    for (int r = 0; r < d->residuals->count; r++) {
        const struct section sections[] = {
            residuals_section(d->residuals, d->lists, r), lists_auxiliary(d->lists),
        };
        dense_dots(d->training, d->lists, &d->residuals->rows[r], d->scratch, rows, sections,
                   with_auxiliary(d->residuals, r) ? 2 : 1, d->dots);
    }
}

void decode_dots(const struct training *training, const struct lists *lists,
                 const struct residuals *residuals, struct step_scratch *scratch,
                 struct range rows, float *dots)
{
    const struct decoding decoding = { training, NULL, lists, scratch, residuals, dots };

    if (dense_is_used(training))
        dots_dense(&decoding, rows);
    else
        visit_blocks(&decoding, rows, dots_of_block);
}

/* ---- begin --------------------------------------------------------------------------- */

/* The others continue the previous residual. */
static bool begins_alone(const struct decoding *d, int r)
{
    return r == 0 || (residuals_is_auxiliary(d->residuals, r)
                      && d->training->architecture->auxiliary == AUXILIARY_ROW);
}

/* Add W_skip x.  Products are made in blocks of one width for all ranks, since their bits depend on
 * it. */
static void add_skip(const struct decoding *d, const struct residual_block *block, float *value)
{
    const int64_t inputs = d->training->inputs;
    const struct range columns = block->columns;
    float *x = block->value[0] + block->count * ROW_BLOCK * SLICE_COLUMNS;

    packed_rows_load(x, inputs, d->batch->x, block->rows, (struct range){ 0, inputs });
    for (int64_t c = 0; c < split_blocks(range_length(columns), COLUMNS); c++) {
        const struct range part = split_block(range_length(columns), COLUMNS, c);
        gemm_nt(value + part.first, SLICE_COLUMNS, x, inputs,
                d->training->tensors[SKIP].value + (columns.first + part.first) * inputs, inputs,
                range_length(block->rows), range_length(part), inputs, true);
    }
}

/* Set residuals to b_dec (+ W_skip x) - target, except those that continue the previous one. */
static void begin(const struct decoding *d, const struct residual_block *block)
{
    const int64_t first = d->training->own_columns.first + block->columns.first;
    const struct range columns = { first, first + range_length(block->columns) };

    for (int r = 0; r < block->count; r++) {
        float *value = block->value[r];
        if (!begins_alone(d, r))
            continue;
        packed_rows_load(value, SLICE_COLUMNS, d->batch->target, block->rows, columns);
        rows_subtract(value, SLICE_COLUMNS, d->training->tensors[DECODER_BIAS].value + first, value,
                      SLICE_COLUMNS, range_length(block->rows), range_length(columns));
        if (d->training->recipe.skip)
            add_skip(d, block, value);
    }
}

/* ---- sums ---------------------------------------------------------------------------- */

/* Sums of squares are of blocks of COLUMNS, one width for all ranks, since their bits depend on
 * it.  A residual_block may have two of them. */
static double *square_of(const struct decoding *d, const struct residual_block *block, int r,
                         int64_t c)
{
    return residuals_square(d->residuals, d->batch->rows, r, block->columns.first / COLUMNS + c,
                            block->rows.first / ROW_BLOCK);
}

static void start_squares(const struct decoding *d, const struct residual_block *block)
{
    for (int r = 0; r < block->count; r++)
        for (int64_t c = 0; c < split_blocks(range_length(block->columns), COLUMNS); c++)
            *square_of(d, block, r, c) = 0;
}

static void add_squares(const struct decoding *d, const struct residual_block *block, int64_t row)
{
    const int64_t width = range_length(block->columns);

    for (int r = 0; r < block->count; r++)
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++)
            *square_of(d, block, r, c) +=
                values_sum_squares(residuals_row(block, r, row) + c * COLUMNS,
                                   range_length(split_block(width, COLUMNS, c)));
}

static void sum_columns(const struct decoding *d, const struct residual_block *block)
{
    const int64_t own = training_own_columns(d->training);

    rows_sum(d->residuals->column_sums + block->rows.first / ROW_BLOCK * own + block->columns.first,
             block->value[0], SLICE_COLUMNS, range_length(block->rows),
             range_length(block->columns));
}

/* ---- entry by entry ------------------------------------------------------------------ */

/* Add to all residuals of a row what its entries write.  AuxK's residual continues the error as it
 * is stored. */
static void add_entries(const struct decoding *d, const struct residual_block *block, int64_t row)
{
    const struct codes *rows = &d->lists->rows;
    const int64_t width = range_length(block->columns), at = block->rows.first + row;

    for (int r = 0; r < block->count; r++) {
        const struct section section = residuals_section(d->residuals, d->lists, r);
        const int64_t first = section.start[at];
        float *to = residuals_row(block, r, row);
        if (!begins_alone(d, r)) {
            memcpy(to, residuals_row(block, r - 1, row), (size_t)width * sizeof *to);
            if (residuals_is_auxiliary(d->residuals, r))
                packed_rows_round(&d->residuals->rows[r - 1], to, width);
        }
        slice_combine(to, rows->index + first, rows->value + first, section.end[at] - first,
                      d->scratch->shared, width, d->training->recipe.train.precision);
    }
}

/* Sum the groups' residuals from the last one on, and round all to the precision of products. */
static void finish_row(const struct decoding *d, const struct residual_block *block, int64_t row)
{
    const int64_t width = range_length(block->columns);

    for (int g = d->residuals->groups - 2; g >= 0; g--) {
        float *to = residuals_row(block, g, row);
        const float *from = residuals_row(block, g + 1, row);
        for (int64_t j = 0; j < width; j++)
            to[j] += from[j];
    }
    for (int r = 0; r < block->count; r++)
        packed_rows_round(&d->residuals->rows[r], residuals_row(block, r, row), width);
}

/* Row by row: the decoder rows of its entries are in cache for all products with them. */
static void decode_block(const struct decoding *d, struct range rows, struct range columns)
{
    const struct residual_block block = block_of(d, rows, columns);

    if (is_first(d))
        begin(d, &block);
    else
        residuals_load(d->residuals, &block);
    start_squares(d, &block);
    for (int64_t row = 0; row < range_length(rows); row++) {
        add_entries(d, &block, row);
        if (!is_last(d))
            continue;
        add_squares(d, &block, row);
        finish_row(d, &block, row);
        if (d->dots != NULL)
            dots_of_row(d, &block, row);
    }
    if (is_last(d))
        sum_columns(d, &block);
    residuals_store(d->residuals, &block);
}

/* ---- by dense products --------------------------------------------------------------- */

static void begin_block(const struct decoding *d, struct range rows, struct range columns)
{
    const struct residual_block block = block_of(d, rows, columns);

    begin(d, &block);
    residuals_store(d->residuals, &block);
}

static void sum_block(const struct decoding *d, struct range rows, struct range columns)
{
    const struct residual_block block = block_of(d, rows, columns);

    residuals_load(d->residuals, &block);
    start_squares(d, &block);
    for (int64_t row = 0; row < range_length(rows); row++)
        add_squares(d, &block, row);
    sum_columns(d, &block);
}

static void visit_all(const struct decoding *d,
                      void (*visit)(const struct decoding *, struct range, struct range))
{
    const int64_t own = training_own_columns(d->training), rows = d->batch->rows;
    const int64_t across = split_blocks(own, SLICE_COLUMNS);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < split_blocks(rows, ROW_BLOCK) * across; i++)
        visit(d, split_block(rows, ROW_BLOCK, i / across),
              split_block(own, SLICE_COLUMNS, i % across));
}

static void decode_dense(const struct decoding *d)
{
    if (is_first(d))
        visit_all(d, begin_block);
    for (int r = 0; r < d->residuals->count; r++)
        dense_decode(d->training, d->lists, residuals_section(d->residuals, d->lists, r),
                     d->scratch, &d->residuals->rows[r]);
    if (is_last(d))
        visit_all(d, sum_block);
}

/* ---- all of it ----------------------------------------------------------------------- */

void decode(const struct training *training, const struct batch *batch, const struct lists *lists,
            struct step_scratch *scratch, struct residuals *residuals, float *dots)
{
    const struct decoding decoding = { training, batch, lists, scratch, residuals, dots };
    const struct range all = { 0, batch->rows };

    if (dots != NULL)
        memset(dots, 0, (size_t)lists->rows.start[batch->rows] * sizeof *dots);
    if (!dense_is_used(training)) {
        visit_blocks(&decoding, all, decode_block);
        return;
    }
    decode_dense(&decoding);
    if (dots != NULL)
        dots_dense(&decoding, all);
}

int64_t decode_widest_slice(const struct step_sizes *sizes)
{
    const struct shape shape = sizes->needs.shape;

    return min_int64(max_int64(shape.inputs, shape.outputs), slice_columns(sizes->needs.precision));
}

/* Shared is a slice of the decoder.  Each thread has a block of all residuals, and rows that a skip
 * matrix multiplies. */
struct scratch_size decode_scratch(const struct step_sizes *sizes)
{
    const struct step_needs *needs = &sizes->needs;
    const int64_t rows = needs->skip ? (int64_t)ROW_BLOCK * needs->shape.inputs : 0;

    return (struct scratch_size){
        .shared = slice_bytes(needs->precision, needs->shape.latents, decode_widest_slice(sizes)),
        .own = (residuals_block_floats(sizes) + rows) * (int64_t)sizeof(float),
    };
}
