#include "step/decode.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/decoder_blocks.h"
#include "step/dense.h"
#include "step/dots.h"

#include <omp.h>
#include <string.h>

/* What the threads of decode() work with. */
struct decoding {
    const struct training *training;
    const struct batch *batch;
    const struct lists *lists;
    struct step_scratch *scratch;
    struct residuals *residuals;
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

/* Sum the groups' residuals from the last one on, and round all to the precision in which they are
 * multiplied. */
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

/* Row by row, so that the decoder rows in cache serve for everything that is made of them. */
static void decode_block(const void *context, struct range rows, struct range columns)
{
    const struct decoding *d = context;
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
            dots_add_row(d->training, d->lists, d->residuals, &block, d->scratch->shared, row,
                         d->dots);
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
        decoder_blocks_visit(training, lists->pass, scratch, all, decode_block, &decoding);
        return;
    }
    decode_dense(&decoding);
    if (dots != NULL)
        dots_add(training, lists, residuals, scratch, all, dots);
}

/* Each thread has a block of all residuals, and rows that a skip matrix multiplies. */
struct scratch_size decode_scratch(const struct step_sizes *sizes)
{
    const int64_t rows = sizes->needs.skip ? (int64_t)ROW_BLOCK * sizes->needs.shape.inputs : 0;
    const struct scratch_size size = {
        .own = (residuals_block_floats(sizes) + rows) * (int64_t)sizeof(float),
    };

    return step_scratch_widest(size, decoder_blocks_scratch(sizes));
}
