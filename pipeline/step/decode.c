#include "step/decode.h"
#include "base/allocate.h"
#include "base/ordered_sum.h"
#include "kernels/bf16.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/dense.h"
#include "step/turns.h"

#include <stdlib.h>
#include <string.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* Copy a block of columns of the decoder rows whose turn it is, which is then the slice that all
 * threads share.  To be called from outside of parallel regions. */
static void pack_decoder(const struct training *training, struct workspace *w,
                         struct range columns)
{
    const enum precision precision = training->recipe.train.precision;
    const struct range all = { 0, training->latents };
    const int64_t own = length(training->own_columns);
    const float *decoder = training->tensors[DECODER].value + columns.first;

    #pragma omp parallel for
    for (int64_t t = 0; t < turn_pieces(w, all, LATENT_TILE); t++) {
        const struct range latents = turn_piece(w, all, LATENT_TILE, t);
        slice_pack((char *)w->shared + slice_bytes(precision, latents.first, length(columns)),
                   precision, decoder + latents.first * own, own, length(latents), length(columns));
    }
}

/* Are the residuals complete with this turn? */
static bool is_last(const struct workspace *w)
{
    return w->turn == w->turns - 1;
}

static struct residuals all_at(const struct training *training, const struct workspace *w,
                               struct block block)
{
    return residuals_at(w, block, residual_count(training, w));
}

/* ---- sums --------------------------------------------------------------------------- */

/* Where the sum of squares of residual number r is, of a block no wider than COLUMNS. */
static double *squares_at(const struct training *training, const struct workspace *w,
                          struct block block, int r)
{
    const int64_t column_blocks = split_blocks(length(training->own_columns), COLUMNS);
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);

    return &w->squares[(r * column_blocks + block.columns.first / COLUMNS) * row_blocks
                       + block.rows.first / ROW_BLOCK];
}

/* Number c of its blocks of COLUMNS: what has one width for all, since its bits depend on it. */
static struct block part_of(struct block block, int64_t c)
{
    const struct range part = split_block(length(block.columns), COLUMNS, c);
    const int64_t first = block.columns.first;

    return (struct block){ block.rows, { first + part.first, first + part.end } };
}

static void start_squares(const struct training *training, const struct workspace *w,
                          const struct residuals *residuals)
{
    for (int r = 0; r < residuals->count; r++)
        for (int64_t c = 0; c < split_blocks(length(residuals->block.columns), COLUMNS); c++)
            *squares_at(training, w, part_of(residuals->block, c), r) = 0;
}

static void add_squares(const struct training *training, const struct workspace *w,
                        const struct residuals *residuals, int64_t row)
{
    for (int r = 0; r < residuals->count; r++)
        for (int64_t c = 0; c < split_blocks(length(residuals->block.columns), COLUMNS); c++) {
            const struct block part = part_of(residuals->block, c);
            *squares_at(training, w, part, r) +=
                values_sum_squares(residual_row(residuals, r, row) + c * COLUMNS, length(part.columns));
        }
}

static void sum_columns(const struct training *training, const struct workspace *w,
                        const struct residuals *residuals)
{
    const int64_t own = length(training->own_columns);
    const struct block block = residuals->block;

    rows_sum(w->block_sums + block.rows.first / ROW_BLOCK * own + block.columns.first,
             residuals->value[0], SLICE_COLUMNS, length(block.rows), length(block.columns));
}

/* ---- entry by entry ----------------------------------------------------------------- */

/* Entries aside of which nothing is made are asked for with the last group. */
static bool with_near(const struct training *training, const struct workspace *w, int r)
{
    return r == group_count(training) - 1 && !w->aside_decoded;
}

/* Add to the dots of a row's entries those with their residuals in a block of columns. */
static void add_dots_of_row(const struct training *training, const struct workspace *w,
                            const struct residuals *residuals, int64_t row)
{
    const int64_t at = residuals->block.rows.first + row;

    for (int r = 0; r < residuals->count; r++) {
        const struct section section = residual_section(training, w, r);
        const int32_t *end = with_near(training, w, r) ? w->rows->start + 1 : section.end;
        const int64_t first = section.start[at];
        slice_dots(w->dots + first, w->rows->index + first, end[at] - first,
                   residual_row(residuals, r, row), w->shared, length(residuals->block.columns),
                   training->recipe.train.precision);
    }
}

static void dots_of_block(const struct training *training, const struct workspace *w,
                          struct block block)
{
    const struct residuals residuals = all_at(training, w, block);

    residuals_again(training, w, &residuals);
    for (int64_t row = 0; row < length(block.rows); row++)
        add_dots_of_row(training, w, &residuals, row);
}

/* What the entries of this turn write to all residuals, in a block of columns, and what is made of
 * them when they are complete.  Row by row, so that the decoder rows which one has brought near
 * are used for all that is made of it. */
static void decode_block(const struct training *training, const struct workspace *w,
                         struct block block)
{
    const struct residuals residuals = all_at(training, w, block);

    if (w->turn == 0)
        residuals_begin(training, w, &residuals);
    else
        residuals_load(w, &residuals);
    start_squares(training, w, &residuals);
    for (int64_t row = 0; row < length(block.rows); row++) {
        residuals_add(training, w, &residuals, row);
        if (!is_last(w))
            continue;
        add_squares(training, w, &residuals, row);
        residuals_finish(training, w, &residuals, row);
        if (w->dots_begun)
            add_dots_of_row(training, w, &residuals, row);
    }
    if (is_last(w))
        sum_columns(training, w, &residuals);
    residuals_keep(w, &residuals);
}

/* All residuals of some rows, or only their dot products.  The next block of columns is begun
 * when all rows have had the one before, whose slice stays in cache so long. */
static void visit_blocks(const struct training *training, struct workspace *w, struct range rows,
                         bool dots_only)
{
    const int64_t own = length(training->own_columns);
    const int64_t wide = slice_columns(training->recipe.train.precision);
    const int64_t row_blocks = split_blocks(length(rows), ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, wide); c++) {
        const struct range columns = split_block(own, wide, c);
        pack_decoder(training, w, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            const struct range part = split_block(length(rows), ROW_BLOCK, b);
            const struct block block = { { rows.first + part.first, rows.first + part.end },
                                         columns };
            if (dots_only)
                dots_of_block(training, w, block);
            else
                decode_block(training, w, block);
        }
    }
}

/* ---- by dense products -------------------------------------------------------------- */

/* Of these only residuals that begin bare are made. */
static void begin_block(const struct training *training, const struct workspace *w,
                        struct block block)
{
    const struct residuals residuals = all_at(training, w, block);

    residuals_begin(training, w, &residuals);
    residuals_keep(w, &residuals);
}

static void sum_block(const struct training *training, const struct workspace *w,
                      struct block block)
{
    const struct residuals residuals = all_at(training, w, block);

    residuals_load(w, &residuals);
    start_squares(training, w, &residuals);
    for (int64_t row = 0; row < length(block.rows); row++)
        add_squares(training, w, &residuals, row);
    sum_columns(training, w, &residuals);
}

static void visit_all(const struct training *training, const struct workspace *w,
                      void (*visit)(const struct training *, const struct workspace *,
                                    struct block))
{
    const int64_t own = length(training->own_columns);
    const int64_t across = split_blocks(own, SLICE_COLUMNS);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < split_blocks(w->batch, ROW_BLOCK) * across; i++)
        visit(training, w, (struct block){ split_block(w->batch, ROW_BLOCK, i / across),
                                           split_block(own, SLICE_COLUMNS, i % across) });
}

/* The dot products of some rows, over all own columns. */
static void dots_of_rows(const struct training *training, struct workspace *w, struct range rows)
{
    for (int r = 0; r < residual_count(training, w); r++) {
        const struct section section = residual_section(training, w, r);
        const struct section both[] = {
            section, { section.residual, w->rows->middle, w->rows->start + 1 },
        };
        dense_dots(training, w, rows, both, with_near(training, w, r) ? 2 : 1);
    }
}

static void decode_dense(const struct training *training, struct workspace *w)
{
    if (w->turn == 0)
        visit_all(training, w, begin_block);
    for (int r = 0; r < residual_count(training, w); r++)
        dense_decode(training, w, residual_section(training, w, r));
    if (!is_last(w))
        return;
    visit_all(training, w, sum_block);
    if (w->dots_begun)
        dots_of_rows(training, w, (struct range){ 0, w->batch });
}

/* ---- all of it ---------------------------------------------------------------------- */

void decode(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    int rank;

    MPI_Comm_rank(training->comm, &rank);
    w->dots_begun = rank == 0 && w->turns == 1;
    if (w->dots_begun)
        memset(w->dots, 0, (size_t)w->rows->start[w->batch] * sizeof *w->dots);
    if (is_dense(training))
        decode_dense(training, w);
    else
        visit_blocks(training, w, (struct range){ 0, w->batch }, false);
}

/* The rows of a piece of the chain.  A piece packs the decoder anew, so there are few of them,
 * but enough for all ranks to work at the same time. */
static int64_t rows_of_piece(const struct workspace *w)
{
    const int64_t rows = split_blocks(w->batch, 4 * w->ranks);

    return split_blocks(rows, ROW_BLOCK) * ROW_BLOCK;
}

struct back {
    const struct training *training;
    struct workspace      *workspace;
};

static void add_dots(void *context, int64_t piece)
{
    const struct back *back = context;
    struct workspace *w = back->workspace;
    const struct range rows = split_block(w->batch, rows_of_piece(w), piece);

    if (is_dense(back->training))
        dots_of_rows(back->training, w, rows);
    else
        visit_blocks(back->training, w, rows, true);
}

void decode_back(const struct training *training, struct workspace *workspace)
{
    const int64_t each = rows_of_piece(workspace), pieces = split_blocks(workspace->batch, each);
    int64_t *cuts = allocate(pieces + 1, sizeof *cuts);
    struct back back = { training, workspace };

    for (int64_t p = 0; p < pieces; p++) {
        const struct range rows = split_block(workspace->batch, each, p);
        cuts[p] = workspace->rows->start[rows.first];
        cuts[p + 1] = workspace->rows->start[rows.end];
    }
    const struct ordered_sum chain = { training->comm, MPI_FLOAT, pieces, cuts, workspace->dots_begun };
    ordered_sum_run(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}

void *slice_residuals(const struct training *training, struct workspace *workspace, int count,
                      struct range columns)
{
    struct workspace *w = workspace;
    const enum precision precision = training->recipe.train.precision;
    const int64_t each = slice_bytes(precision, w->batch, length(columns));
    char *slices = w->shared;
    bool all = true;

    for (int r = 0; r < count; r++)
        all &= w->kept[r];
    if (!all) {
        slices += slice_bytes(precision, training->latents, length(columns));
        pack_decoder(training, w, columns);
    }
    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(w->batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, b);
        const struct residuals residuals = residuals_at(w, (struct block){ rows, columns }, count);
        residuals_again(training, w, &residuals);
        for (int r = 0; r < count; r++)
            slice_pack(slices + r * each + slice_bytes(precision, rows.first, length(columns)),
                       precision, residuals.value[r], SLICE_COLUMNS, length(rows), length(columns));
    }
    return slices;
}
