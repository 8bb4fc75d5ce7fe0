#include "sae/decode.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
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

/* Add what some entries of each row write. */
static void add_latents(const struct training *training, struct workspace *w, struct block block,
                        float *residual, const int64_t *start, const int64_t *end)
{
    const struct codes *codes = w->rows;
    const int64_t latents = training->latents;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t count = block.rows.end - block.rows.first;
    const int64_t width = block.columns.end - block.columns.first;
    const float *decoder = training->tensors[DECODER].value + block.columns.first;
    float *to = residual + block.rows.first * own + block.columns.first;

    start += block.rows.first;
    end += block.rows.first;
    if (training->density > DENSE_ABOVE) {
        float *dense = w->scratch[omp_get_thread_num()];
        sparse_expand(dense, start, end, codes->index, codes->value, count, latents);
        gemm_nn(to, own, dense, latents, decoder, own, count, width, latents, true);
    } else {
        sparse_combine(to, own, start, end, codes->index, codes->value, decoder, own, count,
                       width, true);
    }
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

void decode(const struct training *training, struct workspace *workspace)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t column_blocks = split_blocks(own, COLUMNS);
    const int64_t row_blocks = split_blocks(workspace->batch, ROW_BLOCK);

    #pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t c = 0; c < column_blocks; c++)
        for (int64_t b = 0; b < row_blocks; b++)
            decode_block(training, workspace,
                         (struct block){ split_block(workspace->batch, ROW_BLOCK, b),
                                         split_block(own, COLUMNS, c) },
                         workspace->squares + c * row_blocks + b, column_blocks * row_blocks);
}

/* ---- backward ---------------------------------------------------------------------- */

enum { PIECE_BLOCKS = 4 };  /* blocks of rows of a piece of the chain */

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
    } else {
        sparse_dots(w->dots, start, end, codes->index, residual, own, decoder, own, count, width);
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

/* The next block of columns is begun when all rows have had the one before, which stays in
 * cache so long; for one row the blocks' order is that of the columns. */
static void add_dots(void *context, int64_t piece)
{
    const struct back *back = context;
    const struct training *training = back->training;
    struct workspace *w = back->workspace;
    const struct range rows = split_block(w->batch, PIECE_BLOCKS * ROW_BLOCK, piece);
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t row_blocks = split_blocks(rows.end - rows.first, ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, COLUMNS); c++) {
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            struct range block = split_block(rows.end - rows.first, ROW_BLOCK, b);
            block.first += rows.first;
            block.end += rows.first;
            dots_of_block(training, w, (struct block){ block, split_block(own, COLUMNS, c) });
        }
    }
}

void decode_back(const struct training *training, struct workspace *workspace)
{
    const int64_t pieces = split_blocks(workspace->batch, PIECE_BLOCKS * ROW_BLOCK);
    int64_t *cuts = allocate(pieces + 1, sizeof *cuts);
    struct back back = { training, workspace };

    add_residuals(training, workspace);
    for (int64_t p = 0; p < pieces; p++) {
        const struct range rows = split_block(workspace->batch, PIECE_BLOCKS * ROW_BLOCK, p);
        cuts[p] = workspace->rows->start[rows.first];
        cuts[p + 1] = workspace->rows->start[rows.end];
    }
    const struct chain chain = { training->comm, MPI_FLOAT, pieces, cuts };
    chain_sum(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}
