#include "step/dense.h"
#include "base/minmax.h"
#include "kernels/slice.h"
#include "kernels/sparse.h"
#include "step/architecture.h"

#include <omp.h>
#include <string.h>

enum { GROUP = 4 };     /* tiles that are multiplied with one set of other operands */

_Static_assert((int)ROW_BLOCK == SIDE && (int)LATENT_TILE == SIDE && (int)COLUMNS == SIDE,
               "blocks are squares");

bool dense_is_used(const struct training *training)
{
    return training->density > DENSE_ABOVE && !training->architecture->traits->keeps_k;
}

/* Shared are operands of a group of tiles.  Each thread has two blocks in float32, and operands: a
 * row of blocks of the residual, a column of blocks of x, or a block of each tile of a group. */
struct scratch_size dense_scratch(const struct step_sizes *sizes)
{
    const int64_t each = square_bytes(sizes->needs.precision);
    const int64_t blocks = max_int64(sizes->own_column_blocks, sizes->row_blocks);

    return (struct scratch_size){
        .shared = GROUP * blocks * each,
        .own = 2 * SQUARE * (int64_t)sizeof(float) + max_int64(GROUP, blocks) * each,
    };
}

/* One thread's scratch. */
struct buffers {
    float *y, *dense;       /* [SIDE, SIDE] */
    char  *operands;
};

static struct buffers own_buffers(const struct step_scratch *scratch)
{
    float *own = step_scratch_own(scratch);

    return (struct buffers){ own, own + SQUARE, (char *)(own + 2 * SQUARE) };
}

/* Number i of some operands. */
static void *operand(const struct step_scratch *scratch, void *operands, int64_t i)
{
    return (char *)operands + i * square_bytes(scratch->square.precision);
}

/* Entries of each of some groups of a list. */
struct runs {
    int32_t start[SIDE], end[SIDE];
};

/* The first place from `low` on, up to `high`, where ascending indices reach `bound`. */
static int32_t find(const int32_t *index, int32_t low, int32_t high, int64_t bound)
{
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (index[middle] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Find the entries with an index in `within`.  Are there any? */
static bool find_runs(struct runs *runs, const int32_t *index, const int32_t *start,
                      const int32_t *end, int64_t groups, struct range within)
{
    int64_t count = 0;

    for (int64_t g = 0; g < groups; g++) {
        runs->start[g] = find(index, start[g], end[g], within.first);
        runs->end[g] = find(index, runs->start[g], end[g], within.end);
        count += runs->end[g] - runs->start[g];
    }
    return count > 0;
}

/* A pass has its tiles in groups of GROUP. */
static int64_t groups_of(struct pass pass, struct range latents)
{
    return split_blocks(pass_pieces(pass, latents, LATENT_TILE), GROUP);
}

static struct range tiles_of(struct pass pass, struct range latents, int64_t group)
{
    return split_block(pass_pieces(pass, latents, LATENT_TILE), GROUP, group);
}

/* ---- products with the decoder ------------------------------------------------------- */

/* What threads that multiply with the decoder work with. */
struct decoder_work {
    const struct training *training;
    const struct lists *lists;
    const struct packed_rows *residual;
    const struct step_scratch *scratch;
};

static struct range tile_of(const struct decoder_work *w, int64_t number)
{
    const struct range all = { 0, w->training->latents };

    return pass_piece(w->lists->pass, all, LATENT_TILE, number);
}

/* The decoder's blocks of a group of tiles and the own columns, as right operands.
 *   [GROUP, own column blocks]   in the shared scratch, out */
static void pack_decoder(const struct decoder_work *w, struct range tiles, bool transposed)
{
    const int64_t own = training_own_columns(w->training), blocks = split_blocks(own, SIDE);
    const struct square *square = &w->scratch->square;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < range_length(tiles) * blocks; i++) {
        const struct range tile = tile_of(w, tiles.first + i / blocks);
        const struct range columns = split_block(own, SIDE, i % blocks);
        const float *from = w->training->tensors[DECODER].value + tile.first * own + columns.first;
        void *to = operand(w->scratch, w->scratch->shared, i);
        if (transposed)
            square_right_transposed(square, to, from, own, range_length(tile),
                                    range_length(columns));
        else
            square_right(square, to, from, own, range_length(tile), range_length(columns));
    }
}

/* A block of rows' entries in a tile, as left operand.  Are there any? */
static bool pack_entries(const struct decoder_work *w, struct section section, struct range rows,
                         struct range tile, float *dense, void *to)
{
    const struct codes *codes = &w->lists->rows;
    const int64_t count = range_length(rows);
    struct runs runs;
    const bool any = find_runs(&runs, codes->index, section.start + rows.first,
                               section.end + rows.first, count, tile);

    memset(dense, 0, SQUARE * sizeof *dense);
    sparse_expand(dense, runs.start, runs.end, codes->index, codes->value, count, tile.first, SIDE);
    square_left(&w->scratch->square, to, dense, SIDE, count, SIDE);
    return any;
}

/* Add what a group of tiles writes to a block of rows. */
static void decode_rows(const struct decoder_work *w, struct section section, struct range rows,
                        struct range tiles)
{
    const int64_t own = training_own_columns(w->training), blocks = split_blocks(own, SIDE);
    const struct buffers buffers = own_buffers(w->scratch);
    bool any[GROUP];

    for (int64_t t = 0; t < range_length(tiles); t++)
        any[t] = pack_entries(w, section, rows, tile_of(w, tiles.first + t), buffers.dense,
                              operand(w->scratch, buffers.operands, t));
    for (int64_t c = 0; c < blocks; c++) {
        const struct range columns = split_block(own, SIDE, c);
        packed_rows_load(buffers.y, SIDE, w->residual, rows, columns);
        for (int64_t t = 0; t < range_length(tiles); t++)
            if (any[t])
                square_add(&w->scratch->square, buffers.y, operand(w->scratch, buffers.operands, t),
                           operand(w->scratch, w->scratch->shared, t * blocks + c));
        packed_rows_store(w->residual, buffers.y, SIDE, rows, columns);
    }
}

void dense_decode(const struct training *training, const struct lists *lists,
                  struct section section, const struct step_scratch *scratch,
                  const struct packed_rows *residual)
{
    const struct decoder_work work = { training, lists, residual, scratch };
    const struct range all = { 0, training->latents };
    const int64_t rows = lists->rows.groups;

    for (int64_t g = 0; g < groups_of(lists->pass, all); g++) {
        const struct range tiles = tiles_of(lists->pass, all, g);
        pack_decoder(&work, tiles, false);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < split_blocks(rows, ROW_BLOCK); b++)
            decode_rows(&work, section, split_block(rows, ROW_BLOCK, b), tiles);
    }
}

/* ---- dot products -------------------------------------------------------------------- */

/* Add the dot products of a block of rows with one tile to what they are so far.
 *   decoder   blocks of the tile, transposed */
static void dots_of_tile(const struct decoder_work *w, const struct section *sections, int count,
                         struct range rows, struct range tile, void *decoder, float *dots)
{
    const int64_t blocks = split_blocks(training_own_columns(w->training), SIDE);
    const int64_t height = range_length(rows);
    const int32_t *index = w->lists->rows.index;
    const struct buffers buffers = own_buffers(w->scratch);
    struct runs runs[2];
    bool any = false;

    memset(buffers.y, 0, SQUARE * sizeof *buffers.y);
    for (int s = 0; s < count; s++) {
        any |= find_runs(&runs[s], index, sections[s].start + rows.first,
                         sections[s].end + rows.first, height, tile);
        sparse_expand(buffers.y, runs[s].start, runs[s].end, index, dots, height, tile.first, SIDE);
    }
    for (int64_t c = 0; c < blocks && any; c++)
        square_add(&w->scratch->square, buffers.y, operand(w->scratch, buffers.operands, c),
                   operand(w->scratch, decoder, c));
    for (int s = 0; s < count; s++)
        sparse_pick(dots, runs[s].start, runs[s].end, index, buffers.y, height, tile.first, SIDE);
}

static void dots_of_rows(const struct decoder_work *w, const struct section *sections, int count,
                         struct range rows, struct range tiles, float *dots)
{
    const int64_t own = training_own_columns(w->training), blocks = split_blocks(own, SIDE);
    const struct buffers buffers = own_buffers(w->scratch);

    for (int64_t c = 0; c < blocks; c++) {
        const struct range columns = split_block(own, SIDE, c);
        packed_rows_load(buffers.dense, SIDE, w->residual, rows, columns);
        square_left(&w->scratch->square, operand(w->scratch, buffers.operands, c), buffers.dense,
                    SIDE, range_length(rows), range_length(columns));
    }
    for (int64_t t = 0; t < range_length(tiles); t++)
        dots_of_tile(w, sections, count, rows, tile_of(w, tiles.first + t),
                     operand(w->scratch, w->scratch->shared, t * blocks), dots);
}

void dense_dots(const struct training *training, const struct lists *lists,
                const struct packed_rows *residual, const struct step_scratch *scratch,
                struct range rows, const struct section *sections, int count, float *dots)
{
    const struct decoder_work work = { training, lists, residual, scratch };
    const struct range all = { 0, training->latents };

    for (int64_t g = 0; g < groups_of(lists->pass, all); g++) {
        const struct range tiles = tiles_of(lists->pass, all, g);
        pack_decoder(&work, tiles, true);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < split_blocks(range_length(rows), ROW_BLOCK); b++) {
            const struct range part = split_block(range_length(rows), ROW_BLOCK, b);
            dots_of_rows(&work, sections, count,
                         (struct range){ rows.first + part.first, rows.first + part.end }, tiles,
                         dots);
        }
    }
}

/* ---- gradients ----------------------------------------------------------------------- */

/* The coefficients of a group of tiles, as left operands.
 *   [GROUP, row blocks]   in the shared scratch, out */
static void expand_coefficients(const struct dense_sum *sum, const struct step_scratch *scratch,
                                struct range tiles)
{
    const int64_t blocks = split_blocks(sum->rows, SIDE);
    const int32_t *index = sum->codes->index;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < range_length(tiles) * blocks; i++) {
        const struct range tile = pass_piece(sum->pass, sum->latents, LATENT_TILE,
                                             tiles.first + i / blocks);
        const struct range rows = split_block(sum->rows, SIDE, i % blocks);
        float *dense = own_buffers(scratch).dense;
        struct runs runs;

        find_runs(&runs, index, sum->section.start + tile.first, sum->section.end + tile.first,
                  range_length(tile), rows);
        memset(dense, 0, SQUARE * sizeof *dense);
        sparse_expand(dense, runs.start, runs.end, index, sum->coefficient, range_length(tile),
                      rows.first, SIDE);
        square_left(&scratch->square, operand(scratch, scratch->shared, i), dense, SIDE,
                    range_length(tile), SIDE);
    }
}

/* A column of blocks of x, as right operands. */
static void pack_x(const struct dense_sum *sum, const struct step_scratch *scratch,
                   struct range columns, struct buffers buffers)
{
    for (int64_t b = 0; b < split_blocks(sum->rows, SIDE); b++) {
        const struct range rows = split_block(sum->rows, SIDE, b);
        packed_rows_load(buffers.dense, SIDE, &sum->x, rows, columns);
        square_right(&scratch->square, operand(scratch, buffers.operands, b), buffers.dense, SIDE,
                     range_length(rows), range_length(columns));
    }
}

/* A block of columns of some tiles.
 *   group   the first tile of the group */
static void visit_columns(const struct dense_sum *sum, const struct step_scratch *scratch,
                          int64_t group, struct range some, struct range columns,
                          visit_gradient *visit, void *context)
{
    const int64_t blocks = split_blocks(sum->rows, SIDE);
    const struct buffers buffers = own_buffers(scratch);

    pack_x(sum, scratch, columns, buffers);
    for (int64_t t = some.first; t < some.end; t++) {
        memset(buffers.y, 0, SQUARE * sizeof *buffers.y);
        for (int64_t b = 0; b < blocks; b++)
            square_add(&scratch->square, buffers.y,
                       operand(scratch, scratch->shared, t * blocks + b),
                       operand(scratch, buffers.operands, b));
        visit(context, pass_piece(sum->pass, sum->latents, LATENT_TILE, group + t), columns,
              buffers.y, SIDE);
    }
}

/* Block of columns by block.  If there are too few of them for all threads, these share the tiles,
 * too. */
void dense_gradients(const struct dense_sum *sum, const struct step_scratch *scratch,
                     visit_gradient *visit, void *context)
{
    const int64_t blocks = split_blocks(sum->x.width, COLUMNS);

    for (int64_t g = 0; g < groups_of(sum->pass, sum->latents); g++) {
        const struct range tiles = tiles_of(sum->pass, sum->latents, g);
        const int64_t count = range_length(tiles);
        const int parts = blocks >= 3 * scratch->threads ? 1 : (int)count;
        expand_coefficients(sum, scratch, tiles);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t p = 0; p < blocks * parts; p++)
            visit_columns(sum, scratch, tiles.first, split_range(count, (int)(p % parts), parts),
                          split_block(sum->x.width, COLUMNS, p / parts), visit, context);
    }
}
