#include "sae/decode.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "sae/architecture.h"
#include "sae/dense.h"
#include "sae/turns.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* A block of rows in a block of columns. */
struct block {
    struct range rows, columns;
};

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* Where a block begins in a residual. */
static int64_t place_of(const struct training *training, struct block block)
{
    return block.rows.first * length(training->own_columns) + block.columns.first;
}

/* Number c of its blocks of COLUMNS: what has one width for all, since its bits depend on it. */
static struct block part_of(struct block block, int64_t c)
{
    const struct range part = split_block(length(block.columns), COLUMNS, c);
    const int64_t first = block.columns.first;

    return (struct block){ block.rows, { first + part.first, first + part.end } };
}

/* Copy a block of columns of the decoder rows whose turn it is, which is then the
 * slice that all threads share.  To be
 * called from outside of parallel regions. */
static void pack_decoder(const struct training *training, struct workspace *w,
                         struct range columns)
{
    const enum precision precision = training->recipe.precision;
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

/* ---- residuals ---------------------------------------------------------------------- */

/* Residual number r, and the entries that are added in it. */
static struct section section_of(const struct training *training, const struct workspace *w, int r)
{
    const int groups = group_count(training);

    if (r == groups)
        return (struct section){ w->residual[r], w->rows->middle, w->rows->start + 1 };
    return (struct section){ w->residual[r], group_start(w, r), group_end(w, r, groups) };
}

static int residual_count(const struct training *training, const struct workspace *w)
{
    return group_count(training) + w->aside_decoded;
}

/* Does a residual begin without latents?  The others begin with the one before. */
static bool begins_bare(const struct training *training, int r)
{
    return r == 0 || (r == group_count(training)
                      && training->recipe.architecture->aside == ASIDE_ROW);
}

/* What is in a residual before any latent: b_dec (+ W_skip x) - target. */
static void start_residual(const struct training *training, const struct workspace *w,
                           struct block block, float *residual)
{
    const int64_t inputs = training->inputs, outputs = training->outputs;
    const int64_t own = length(training->own_columns), width = length(block.columns);
    const int64_t first = training->own_columns.first + block.columns.first;

    residual += place_of(training, block);
    rows_subtract(residual, own, training->tensors[DECODER_BIAS].value + first,
                  w->target + block.rows.first * outputs + first, outputs, length(block.rows),
                  width);
    if (training->recipe.skip)
        gemm_nt(residual, own,
                w->input + block.rows.first * inputs, inputs,
                training->tensors[SKIP].value + block.columns.first * inputs, inputs,
                length(block.rows), width, inputs, true);
}

static void copy_block(const struct training *training, struct block block, float *to,
                       const float *from)
{
    const int64_t own = length(training->own_columns), at = place_of(training, block);

    for (int64_t row = 0; row < length(block.rows); row++)
        memcpy(to + at + row * own, from + at + row * own,
               (size_t)length(block.columns) * sizeof *to);
}

/* Add what the entries of each row write. */
static void add_entries(const struct training *training, const struct workspace *w,
                        struct block block, struct section section)
{
    const struct codes *codes = w->rows;
    const int64_t own = length(training->own_columns), width = length(block.columns);
    float *to = section.residual + place_of(training, block);

    for (int64_t row = block.rows.first; row < block.rows.end; row++, to += own) {
        const int64_t first = section.start[row];
        float sum[SLICE_COLUMNS] = {0};
        memcpy(sum, to, (size_t)width * sizeof *sum);
        slice_combine(sum, codes->index + first, codes->value + first, section.end[row] - first,
                      w->shared, width, training->recipe.precision);
        memcpy(to, sum, (size_t)width * sizeof *sum);
    }
}

/* Where the sum of squares of residual number r is, of a block no wider than COLUMNS. */
static double *squares_at(const struct training *training, const struct workspace *w,
                          struct block block, int r)
{
    const int64_t column_blocks = split_blocks(length(training->own_columns), COLUMNS);
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);

    return &w->squares[(r * column_blocks + block.columns.first / COLUMNS) * row_blocks
                       + block.rows.first / ROW_BLOCK];
}

static void add_squares(const struct training *training, const struct workspace *w,
                        struct block block, int r)
{
    const int64_t own = length(training->own_columns);

    for (int64_t c = 0; c < split_blocks(length(block.columns), COLUMNS); c++) {
        const struct block part = part_of(block, c);
        const float *residual = w->residual[r] + place_of(training, part);
        for (int64_t row = 0; row < length(part.rows); row++)
            *squares_at(training, w, part, r) +=
                sum_squares(residual + row * own, length(part.columns));
    }
}

/* The residual of each group becomes the sum of those from it on: all depend on its latents. */
static void add_groups(const struct training *training, const struct workspace *w,
                       struct block block)
{
    const int64_t own = length(training->own_columns), at = place_of(training, block);

    for (int g = group_count(training) - 2; g >= 0; g--)
        for (int64_t row = 0; row < length(block.rows); row++) {
            float *to = w->residual[g] + at + row * own;
            const float *from = w->residual[g + 1] + at + row * own;
            for (int64_t j = 0; j < length(block.columns); j++)
                to[j] += from[j];
        }
}

/* ---- dot products ------------------------------------------------------------------- */

/* Add to the dots of some entries those with their residual in a block of columns. */
static void dots_of_entries(const struct training *training, const struct workspace *w,
                            struct block block, struct section section)
{
    const struct codes *codes = w->rows;
    const int64_t own = length(training->own_columns), width = length(block.columns);
    const float *residual = section.residual + place_of(training, block);

    for (int64_t row = block.rows.first; row < block.rows.end; row++, residual += own) {
        const int64_t first = section.start[row];
        float mine[SLICE_COLUMNS] = {0};
        memcpy(mine, residual, (size_t)width * sizeof *mine);
        slice_dots(w->dots + first, codes->index + first, section.end[row] - first, mine,
                   w->shared, width, training->recipe.precision);
    }
}

/* Entries aside of which nothing is made are asked for with the last group. */
static bool with_near(const struct training *training, const struct workspace *w, int r)
{
    return r == group_count(training) - 1 && !w->aside_decoded;
}

static void dots_of_block(const struct training *training, const struct workspace *w,
                          struct block block)
{
    for (int r = 0; r < residual_count(training, w); r++) {
        struct section section = section_of(training, w, r);
        if (with_near(training, w, r))
            section.end = w->rows->start + 1;
        dots_of_entries(training, w, block, section);
    }
}

/* The dot products of some rows, over all own columns, by dense products. */
static void dots_of_rows(const struct training *training, struct workspace *w, struct range rows)
{
    for (int r = 0; r < residual_count(training, w); r++) {
        const struct section section = section_of(training, w, r);
        const struct section both[] = {
            section, { section.residual, w->rows->middle, w->rows->start + 1 },
        };
        dense_dots(training, w, rows, both, with_near(training, w, r) ? 2 : 1);
    }
}

/* ---- both --------------------------------------------------------------------------- */

/* The first residual is begun last: it may take the target's place. */
static void begin_block(const struct training *training, const struct workspace *w,
                        struct block block)
{
    for (int r = residual_count(training, w) - 1; r >= 0; r--)
        for (int64_t c = 0; c < split_blocks(length(block.columns), COLUMNS); c++) {
            const struct block part = part_of(block, c);
            *squares_at(training, w, part, r) = 0;
            if (begins_bare(training, r))
                start_residual(training, w, part, w->residual[r]);
        }
}

static void sum_block(const struct training *training, const struct workspace *w,
                      struct block block)
{
    const int64_t own = length(training->own_columns);

    rows_sum(w->block_sums + block.rows.first / ROW_BLOCK * own + block.columns.first,
             w->residual[0] + place_of(training, block), own, length(block.rows),
             length(block.columns));
}

/* Are the residuals complete with this turn? */
static bool is_last(const struct workspace *w)
{
    return w->turn == w->turns - 1;
}

/* What the entries of this turn write to all residuals of a row, in a block of columns, and what
 * is made of them when they are complete. */
static void decode_row(const struct training *training, const struct workspace *w,
                       struct block block)
{
    for (int r = 0; r < residual_count(training, w); r++) {
        if (!begins_bare(training, r))
            copy_block(training, block, w->residual[r], w->residual[r - 1]);
        add_entries(training, w, block, section_of(training, w, r));
        if (is_last(w))
            add_squares(training, w, block, r);
    }
    if (!is_last(w))
        return;
    add_groups(training, w, block);
    if (w->dots_begun)
        dots_of_block(training, w, block);
}

/* Row by row, so that the decoder rows which one has brought near are used for all that is made of
 * it. */
static void decode_block(const struct training *training, const struct workspace *w,
                         struct block block)
{
    if (w->turn == 0)
        begin_block(training, w, block);
    for (int64_t row = block.rows.first; row < block.rows.end; row++)
        decode_row(training, w, (struct block){ { row, row + 1 }, block.columns });
    if (is_last(w))
        sum_block(training, w, block);
}

/* All residuals of some rows, or only their dot products.  The next block of columns is begun
 * when all rows have had the one before, whose slice stays in cache so long. */
static void visit_blocks(const struct training *training, struct workspace *w, struct range rows,
                         bool dots_only)
{
    const int64_t own = length(training->own_columns);
    const int64_t row_blocks = split_blocks(length(rows), ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, SLICE_COLUMNS); c++) {
        const struct range columns = split_block(own, SLICE_COLUMNS, c);
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

/* Some rows, over all own columns. */
static struct block block_of_rows(const struct training *training, const struct workspace *w,
                                  int64_t b)
{
    return (struct block){ split_block(w->batch, ROW_BLOCK, b),
                           { 0, length(training->own_columns) } };
}

/* The same by dense products, of which only residuals that begin bare are made. */
static void decode_dense(const struct training *training, struct workspace *w)
{
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);
    const int count = residual_count(training, w);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < row_blocks; b++)
        if (w->turn == 0)
            begin_block(training, w, block_of_rows(training, w, b));
    for (int r = 0; r < count; r++)
        dense_decode(training, w, section_of(training, w, r));
    if (!is_last(w))
        return;
    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < row_blocks; b++) {
        for (int r = 0; r < count; r++)
            add_squares(training, w, block_of_rows(training, w, b), r);
        sum_block(training, w, block_of_rows(training, w, b));
    }
    if (w->dots_begun)
        dots_of_rows(training, w, (struct range){ 0, w->batch });
}

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
    const struct chain chain = { training->comm, MPI_FLOAT, pieces, cuts, workspace->dots_begun };
    chain_sum(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}
