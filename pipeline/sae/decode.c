#include "sae/decode.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/slice.h"
#include "kernels/sparse.h"
#include "sae/architecture.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* A block of rows in a block of columns. */
struct block {
    struct range rows, columns;
};

/* What is in the residual before any latent: b_dec (+ W_skip x) - target. */
static void start_residual(const struct training *training, const struct workspace *w,
                           struct block block, float *residual)
{
    const int64_t inputs = training->inputs, outputs = training->outputs;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t width = block.columns.end - block.columns.first;
    const int64_t first = training->own_columns.first + block.columns.first;
    const float *bias = training->tensors[DECODER_BIAS].value + first;

    for (int64_t row = block.rows.first; row < block.rows.end; row++) {
        const float *target = w->target + row * outputs + first;
        float *to = residual + row * own + block.columns.first;
        for (int64_t j = 0; j < width; j++)
            to[j] = bias[j] - target[j];
    }
    if (training->recipe.skip)
        gemm_nt(residual + block.rows.first * own + block.columns.first, own,
                w->input + block.rows.first * inputs, inputs,
                training->tensors[SKIP].value + block.columns.first * inputs, inputs,
                block.rows.end - block.rows.first, width, inputs, true);
}

static void copy_block(const struct training *training, struct block block, float *to,
                       const float *from)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;

    for (int64_t row = block.rows.first; row < block.rows.end; row++)
        memcpy(to + row * own + block.columns.first, from + row * own + block.columns.first,
               (size_t)(block.columns.end - block.columns.first) * sizeof *to);
}

/* Copy a block of columns of all decoder rows into the workspace's slice.  To be called from
 * outside of parallel regions. */
static void pack_decoder(const struct training *training, struct workspace *w,
                         struct range columns)
{
    const enum precision precision = training->recipe.precision;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const float *decoder = training->tensors[DECODER].value + columns.first;

    #pragma omp parallel for
    for (int64_t b = 0; b < split_blocks(training->latents, LATENT_TILE); b++) {
        const struct range latents = split_block(training->latents, LATENT_TILE, b);
        slice_pack((char *)w->slice + slice_bytes(precision, latents.first), precision,
                   decoder + latents.first * own, own, latents.end - latents.first,
                   columns.end - columns.first);
    }
}

/* Add what some entries of a row write, and, with `dots`, take the dot products of the result
 * with all entries of the row: their decoder rows have just been brought near. */
static void add_latents_of_row(const struct training *training, const struct workspace *w,
                               float *residual, int64_t width, int64_t row, struct range entries,
                               bool dots)
{
    const struct codes *codes = w->rows;
    const enum precision precision = training->recipe.precision;
    const int64_t first = codes->start[row], count = codes->start[row + 1] - first;
    float sum[COLUMNS] = {0};

    memcpy(sum, residual, (size_t)width * sizeof *sum);
    slice_combine(sum, codes->index + entries.first, codes->value + entries.first,
                  entries.end - entries.first, w->slice, precision);
    if (dots)
        slice_dots(w->dots + first, codes->index + first, count, sum, w->slice, precision);
    memcpy(residual, sum, (size_t)width * sizeof *sum);
}

/* Add what some entries of each row write. */
static void add_latents(const struct training *training, struct workspace *w, struct block block,
                        float *residual, const int64_t *start, const int64_t *end)
{
    const struct codes *codes = w->rows;
    const int64_t latents = training->latents;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t count = block.rows.end - block.rows.first;
    const int64_t width = block.columns.end - block.columns.first;
    float *to = residual + block.rows.first * own + block.columns.first;

    start += block.rows.first;
    end += block.rows.first;
    if (training->density > DENSE_ABOVE) {
        float *dense = w->scratch[omp_get_thread_num()];
        sparse_expand(dense, start, end, codes->index, codes->value, count, latents);
        gemm_nn(to, own, dense, latents, training->tensors[DECODER].value + block.columns.first,
                own, count, width, latents, true);
        return;
    }
    for (int64_t r = 0; r < count; r++)
        add_latents_of_row(training, w, to + r * own, width, block.rows.first + r,
                           (struct range){ start[r], end[r] }, w->dots_begun);
}

static double squares_of_block(const struct training *training, struct block block,
                               const float *residual)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;
    double squares = 0;

    for (int64_t row = block.rows.first; row < block.rows.end; row++)
        squares += sum_squares(residual + row * own + block.columns.first,
                               block.columns.end - block.columns.first);
    return squares;
}

/* All residuals of one block.
 *   squares   [residuals], `step` apart */
static void decode_block(const struct training *training, struct workspace *w, struct block block,
                         double *squares, int64_t step)
{
    const int groups = group_count(training);
    float *aside = w->residual[groups];

    for (int g = 0; g < groups; g++) {
        float *residual = w->residual[g];
        if (g == 0)
            start_residual(training, w, block, residual);
        else
            copy_block(training, block, residual, w->residual[g - 1]);
        add_latents(training, w, block, residual, group_start(w, g), group_end(w, g, groups));
        squares[g * step] = squares_of_block(training, block, residual);
    }
    if (!w->aside_decoded)
        return;
    if (training->recipe.architecture->aside == ASIDE_ROW)
        start_residual(training, w, block, aside);
    else
        copy_block(training, block, aside, w->residual[groups - 1]);
    add_latents(training, w, block, aside, w->rows->middle, w->rows->start + 1);
    squares[groups * step] = squares_of_block(training, block, aside);
}

/* Rank 0 begins the chain of decode_back() already here, if there is but one residual and it
 * is made row by row. */
static bool can_begin_dots(const struct training *training, const struct workspace *w)
{
    int rank;

    MPI_Comm_rank(training->comm, &rank);
    return rank == 0 && group_count(training) == 1 && !w->aside_decoded
           && training->density <= DENSE_ABOVE;
}

void decode(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t column_blocks = split_blocks(own, COLUMNS);
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);

    w->dots_begun = can_begin_dots(training, w);
    if (w->dots_begun)
        memset(w->dots, 0, (size_t)w->rows->start[w->batch] * sizeof *w->dots);
    for (int64_t c = 0; c < column_blocks; c++) {
        const struct range columns = split_block(own, COLUMNS, c);
        if (training->density <= DENSE_ABOVE)
            pack_decoder(training, w, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++)
            decode_block(training, w,
                         (struct block){ split_block(w->batch, ROW_BLOCK, b), columns },
                         w->squares + c * row_blocks + b, column_blocks * row_blocks);
    }
}

/* ---- backward ---------------------------------------------------------------------- */

struct back {
    const struct training *training;
    struct workspace      *workspace;
};

/* Each residual becomes the sum of itself and those behind it. */
static void add_residuals(const struct training *training, struct workspace *w)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;

    for (int g = group_count(training) - 2; g >= 0; g--) {
        float *to = w->residual[g];
        const float *from = w->residual[g + 1];
        #pragma omp parallel for
        for (int64_t k = 0; k < w->batch * own; k++)
            to[k] += from[k];
    }
}

/* The dot products of some entries of each row with one residual. */
static void dots_of_entries(const struct training *training, struct workspace *w,
                            struct block block, const float *residual, const int64_t *start,
                            const int64_t *end)
{
    const struct codes *codes = w->rows;
    const int64_t latents = training->latents;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t count = block.rows.end - block.rows.first;
    const int64_t width = block.columns.end - block.columns.first;
    const float *decoder = training->tensors[DECODER].value + block.columns.first;

    residual += block.rows.first * own + block.columns.first;
    start += block.rows.first;
    end += block.rows.first;
    if (training->density > DENSE_ABOVE) {
        float *dense = w->scratch[omp_get_thread_num()];
        gemm_nt(dense, latents, residual, own, decoder, own, count, latents, width, false);
        sparse_pick(w->dots, start, end, codes->index, dense, count, latents);
        return;
    }
    for (int64_t r = 0; r < count; r++) {
        float row[COLUMNS] = {0};
        memcpy(row, residual + r * own, (size_t)width * sizeof *row);
        slice_dots(w->dots + start[r], codes->index + start[r], end[r] - start[r], row, w->slice,
                   training->recipe.precision);
    }
}

static void dots_of_block(const struct training *training, struct workspace *w,
                          struct block block)
{
    const int groups = group_count(training);
    const struct codes *rows = w->rows;

    if (training->recipe.architecture->aside == ASIDE_NEAR && groups == 1) {
        dots_of_entries(training, w, block, w->residual[0], rows->start, rows->start + 1);
        return;
    }
    for (int g = 0; g < groups; g++)
        dots_of_entries(training, w, block, w->residual[g], group_start(w, g),
                        group_end(w, g, groups));
    if (w->aside_decoded)
        dots_of_entries(training, w, block, w->residual[groups], rows->middle, rows->start + 1);
}

/* The rows of a piece of the chain.  A piece packs the decoder anew, so there are few of them,
 * but enough for all ranks to work at the same time. */
static int64_t rows_of_piece(const struct workspace *w)
{
    const int64_t rows = split_blocks(w->batch, 4 * w->ranks);

    return split_blocks(rows, ROW_BLOCK) * ROW_BLOCK;
}

/* The next block of columns is begun when all rows have had the one before, which stays in
 * cache so long; for one row the blocks' order is that of the columns. */
static void add_dots(void *context, int64_t piece)
{
    const struct back *back = context;
    const struct training *training = back->training;
    struct workspace *w = back->workspace;
    const struct range rows = split_block(w->batch, rows_of_piece(w), piece);
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t row_blocks = split_blocks(rows.end - rows.first, ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, COLUMNS); c++) {
        const struct range columns = split_block(own, COLUMNS, c);
        if (training->density <= DENSE_ABOVE)
            pack_decoder(training, w, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            struct range block = split_block(rows.end - rows.first, ROW_BLOCK, b);
            block.first += rows.first;
            block.end += rows.first;
            dots_of_block(training, w, (struct block){ block, columns });
        }
    }
}

void decode_back(const struct training *training, struct workspace *workspace)
{
    const int64_t each = rows_of_piece(workspace), pieces = split_blocks(workspace->batch, each);
    int64_t *cuts = allocate(pieces + 1, sizeof *cuts);
    struct back back = { training, workspace };

    add_residuals(training, workspace);
    for (int64_t p = 0; p < pieces; p++) {
        const struct range rows = split_block(workspace->batch, each, p);
        cuts[p] = workspace->rows->start[rows.first];
        cuts[p + 1] = workspace->rows->start[rows.end];
    }
    const struct chain chain = { training->comm, MPI_FLOAT, pieces, cuts, workspace->dots_begun };
    chain_sum(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}
