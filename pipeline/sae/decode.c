#include "sae/decode.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/sparse.h"

#include <omp.h>
#include <stdlib.h>

/* The residual of one block of rows in one block of columns; returns its sum of squares. */
static double decode_block(const struct training *training, struct workspace *w,
                           struct range rows, struct range columns)
{
    const struct codes *codes = w->rows;
    const int64_t latents = training->latents, inputs = training->inputs;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t count = rows.end - rows.first, width = columns.end - columns.first;
    const float *decoder = training->tensors[DECODER].value + columns.first;
    float *residual = w->residual + rows.first * own + columns.first;
    double squares = 0;

    for (int64_t row = 0; row < count; row++) {
        const float *x = w->centred + (rows.first + row) * inputs + training->own_columns.first
                         + columns.first;
        for (int64_t j = 0; j < width; j++)
            residual[row * own + j] = -x[j];
    }
    if (training->density > DENSE_ABOVE) {
        float *dense = w->scratch[omp_get_thread_num()];
        sparse_expand(dense, codes->start + rows.first, codes->middle + rows.first, codes->index,
                      codes->value, count, latents);
        gemm_nn(residual, own, dense, latents, decoder, own, count, width, latents, true);
    } else {
        sparse_combine(residual, own, codes->start + rows.first, codes->middle + rows.first,
                       codes->index, codes->value, decoder, own, count, width, true);
    }
    for (int64_t row = 0; row < count; row++)
        squares += sum_squares(residual + row * own, width);
    return squares;
}

void decode(const struct training *training, struct workspace *workspace)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t column_blocks = split_blocks(own, COLUMNS);
    const int64_t row_blocks = split_blocks(workspace->batch, ROW_BLOCK);

    #pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t c = 0; c < column_blocks; c++)
        for (int64_t b = 0; b < row_blocks; b++)
            workspace->squares[c * row_blocks + b] =
                decode_block(training, workspace, split_block(workspace->batch, ROW_BLOCK, b),
                             split_block(own, COLUMNS, c));
}

enum { PIECE_BLOCKS = 4 };  /* blocks of rows of a piece of the chain */

struct back {
    const struct training *training;
    struct workspace      *workspace;
};

static void dots_of_block(const struct training *training, struct workspace *w,
                          struct range rows, struct range columns)
{
    const struct codes *codes = w->rows;
    const int64_t latents = training->latents;
    const int64_t own = training->own_columns.end - training->own_columns.first;
    const int64_t count = rows.end - rows.first, width = columns.end - columns.first;
    const float *decoder = training->tensors[DECODER].value + columns.first;
    const float *residual = w->residual + rows.first * own + columns.first;
    const int64_t *start = codes->start + rows.first;

    if (training->density > DENSE_ABOVE) {
        float *dense = w->scratch[omp_get_thread_num()];
        gemm_nt(dense, latents, residual, own, decoder, own, count, latents, width, false);
        sparse_pick(w->dots, start, start + 1, codes->index, dense, count, latents);
    } else {
        sparse_dots(w->dots, start, start + 1, codes->index, residual, own, decoder, own, count,
                    width);
    }
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
            dots_of_block(training, w, block, split_block(own, COLUMNS, c));
        }
    }
}

void decode_back(const struct training *training, struct workspace *workspace)
{
    const int64_t pieces = split_blocks(workspace->batch, PIECE_BLOCKS * ROW_BLOCK);
    int64_t *cuts = allocate(pieces + 1, sizeof *cuts);
    struct back back = { training, workspace };

    for (int64_t p = 0; p < pieces; p++) {
        const struct range rows = split_block(workspace->batch, PIECE_BLOCKS * ROW_BLOCK, p);
        cuts[p] = workspace->rows->start[rows.first];
        cuts[p + 1] = workspace->rows->start[rows.end];
    }
    const struct chain chain = { training->comm, MPI_FLOAT, pieces, cuts };
    chain_sum(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}
