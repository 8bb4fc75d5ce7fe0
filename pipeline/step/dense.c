#include "step/dense.h"
#include "kernels/slice.h"
#include "kernels/sparse.h"
#include "step/architecture.h"
#include "step/turns.h"

#include <omp.h>
#include <string.h>

enum { GROUP = 4 };     /* tiles that are multiplied while the blocks beside them are at hand */

_Static_assert((int)ROW_BLOCK == SIDE && (int)LATENT_TILE == SIDE && (int)COLUMNS == SIDE,
               "blocks are squares");

static int64_t length(struct range range)
{
    return range.end - range.first;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool is_dense(const struct training *training)
{
    return training->density > DENSE_ABOVE && !training->recipe.architecture->traits->keeps_k;
}

int64_t dense_shared(const struct step_room *room, int64_t own_columns)
{
    const int64_t columns = split_blocks(own_columns, SIDE), rows = split_blocks(room->batch, SIDE);

    return GROUP * most(columns, rows) * square_bytes(room->precision);
}

/* Two blocks in float32, and operands: a row of blocks of the residual, a column of blocks of x,
 * or a block of each tile of a group. */
int64_t dense_scratch(const struct step_room *room, int64_t own_columns)
{
    const int64_t columns = split_blocks(own_columns, SIDE), rows = split_blocks(room->batch, SIDE);

    return 2 * SQUARE * (int64_t)sizeof(float)
           + most(GROUP, most(columns, rows)) * square_bytes(room->precision);
}

/* One thread's scratch. */
struct room {
    float *y, *dense;       /* [SIDE, SIDE] */
    char  *operands;
};

static struct room own_room(const struct workspace *w)
{
    float *scratch = w->scratch[omp_get_thread_num()];

    return (struct room){ scratch, scratch + SQUARE, (char *)(scratch + 2 * SQUARE) };
}

/* Number i of some operands. */
static void *operand(const struct workspace *w, void *operands, int64_t i)
{
    return (char *)operands + i * square_bytes(w->square.precision);
}

/* Entries of each of some groups of a list. */
struct runs {
    int32_t start[SIDE], end[SIDE];
};

/* Where, from `low` to `high` - 1, ascending indices reach `least`. */
static int32_t find(const int32_t *index, int32_t low, int32_t high, int64_t least)
{
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (index[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those with an index in `within`.  Are there any? */
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

/* The decoder's blocks of a group of tiles and the own columns, as right operands.
 *   tiles   [GROUP, own column blocks]   in `shared`, out
 * `back`: transposed. */
static void pack_decoder(const struct training *training, const struct workspace *w,
                         struct range tiles, bool back)
{
    const struct range all = { 0, training->latents };
    const int64_t own = length(training->own_columns), blocks = split_blocks(own, SIDE);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < length(tiles) * blocks; i++) {
        const struct range tile = turn_piece(w, all, LATENT_TILE, tiles.first + i / blocks);
        const struct range columns = split_block(own, SIDE, i % blocks);
        const float *from = training->tensors[DECODER].value + tile.first * own + columns.first;
        if (back)
            square_right_transposed(&w->square, operand(w, w->shared, i), from, own,
                                    length(tile), length(columns));
        else
            square_right(&w->square, operand(w, w->shared, i), from, own, length(tile),
                         length(columns));
    }
}

static struct range group_of_tiles(const struct workspace *w, struct range latents, int64_t group)
{
    return split_block(turn_pieces(w, latents, LATENT_TILE), GROUP, group);
}

static int64_t groups_of_tiles(const struct workspace *w, struct range latents)
{
    return split_blocks(turn_pieces(w, latents, LATENT_TILE), GROUP);
}

/* ---- decode ------------------------------------------------------------------------- */

/* What a group of tiles writes to a block of rows. */
static void decode_rows(const struct training *training, const struct workspace *w,
                        struct section section, struct range rows, struct range tiles)
{
    const struct range all = { 0, training->latents };
    const int64_t own = length(training->own_columns), blocks = split_blocks(own, SIDE);
    const struct room room = own_room(w);
    bool any[GROUP];

    for (int64_t t = 0; t < length(tiles); t++) {
        const struct range tile = turn_piece(w, all, LATENT_TILE, tiles.first + t);
        struct runs runs;
        any[t] = find_runs(&runs, w->rows->index, section.start + rows.first,
                           section.end + rows.first, length(rows), tile);
        memset(room.dense, 0, SQUARE * sizeof *room.dense);
        sparse_expand(room.dense, runs.start, runs.end, w->rows->index, w->rows->value,
                      length(rows), tile.first, SIDE);
        square_left(&w->square, operand(w, room.operands, t), room.dense, SIDE, length(rows), SIDE);
    }
    for (int64_t c = 0; c < blocks; c++) {
        const struct range columns = split_block(own, SIDE, c);
        packed_rows_load(room.y, SIDE, section.residual, rows, columns);
        for (int64_t t = 0; t < length(tiles); t++)
            if (any[t])
                square_add(&w->square, room.y, operand(w, room.operands, t),
                           operand(w, w->shared, t * blocks + c));
        packed_rows_store(section.residual, room.y, SIDE, rows, columns);
    }
}

void dense_decode(const struct training *training, struct workspace *workspace,
                  struct section section)
{
    const struct range all = { 0, training->latents };
    const struct workspace *w = workspace;

    for (int64_t g = 0; g < groups_of_tiles(w, all); g++) {
        const struct range tiles = group_of_tiles(w, all, g);
        pack_decoder(training, w, tiles, false);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < split_blocks(w->batch, ROW_BLOCK); b++)
            decode_rows(training, w, section, split_block(w->batch, ROW_BLOCK, b), tiles);
    }
}

/* ---- dot products ------------------------------------------------------------------- */

/* The dot products of a block of rows with one tile, onto what they are so far. */
static void dots_of_tile(const struct training *training, const struct workspace *w,
                         const struct section *sections, int count, struct range rows,
                         struct range tile, void *decoder)
{
    const int64_t blocks = split_blocks(length(training->own_columns), SIDE);
    const int32_t *index = w->rows->index;
    const struct room room = own_room(w);
    struct runs runs[2];
    bool any = false;

    memset(room.y, 0, SQUARE * sizeof *room.y);
    for (int s = 0; s < count; s++) {
        any |= find_runs(&runs[s], index, sections[s].start + rows.first,
                         sections[s].end + rows.first, length(rows), tile);
        sparse_expand(room.y, runs[s].start, runs[s].end, index, w->dots, length(rows),
                      tile.first, SIDE);
    }
    for (int64_t c = 0; c < blocks && any; c++)
        square_add(&w->square, room.y, operand(w, room.operands, c), operand(w, decoder, c));
    for (int s = 0; s < count; s++)
        sparse_pick(w->dots, runs[s].start, runs[s].end, index, room.y, length(rows), tile.first,
                    SIDE);
}

static void dots_of_rows(const struct training *training, const struct workspace *w,
                         const struct section *sections, int count, struct range rows,
                         struct range tiles)
{
    const struct range all = { 0, training->latents };
    const int64_t own = length(training->own_columns), blocks = split_blocks(own, SIDE);
    const struct room room = own_room(w);

    for (int64_t c = 0; c < blocks; c++) {
        const struct range columns = split_block(own, SIDE, c);
        packed_rows_load(room.dense, SIDE, sections->residual, rows, columns);
        square_left(&w->square, operand(w, room.operands, c), room.dense, SIDE, length(rows),
                    length(columns));
    }
    for (int64_t t = 0; t < length(tiles); t++)
        dots_of_tile(training, w, sections, count, rows,
                     turn_piece(w, all, LATENT_TILE, tiles.first + t),
                     operand(w, w->shared, t * blocks));
}

void dense_dots(const struct training *training, struct workspace *workspace, struct range rows,
                const struct section *sections, int count)
{
    const struct range all = { 0, training->latents };
    const struct workspace *w = workspace;

    for (int64_t g = 0; g < groups_of_tiles(w, all); g++) {
        const struct range tiles = group_of_tiles(w, all, g);
        pack_decoder(training, w, tiles, true);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < split_blocks(length(rows), ROW_BLOCK); b++) {
            const struct range part = split_block(length(rows), ROW_BLOCK, b);
            dots_of_rows(training, w, sections, count,
                         (struct range){ rows.first + part.first, rows.first + part.end }, tiles);
        }
    }
}

/* ---- gradients ---------------------------------------------------------------------- */

/* The coefficients of a group of tiles, as left operands.
 *   [GROUP, row blocks]   in `shared`, out */
static void expand_coefficients(const struct workspace *w, const struct dense_sum *sum,
                                struct range tiles)
{
    const int64_t blocks = split_blocks(w->batch, SIDE);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < length(tiles) * blocks; i++) {
        const struct range tile = turn_piece(w, sum->latents, LATENT_TILE,
                                             tiles.first + i / blocks);
        const struct range rows = split_block(w->batch, SIDE, i % blocks);
        float *dense = own_room(w).dense;
        struct runs runs;

        find_runs(&runs, w->columns->index, sum->start + tile.first, sum->end + tile.first,
                  length(tile), rows);
        memset(dense, 0, SQUARE * sizeof *dense);
        sparse_expand(dense, runs.start, runs.end, w->columns->index, sum->coefficient,
                      length(tile), rows.first, SIDE);
        square_left(&w->square, operand(w, w->shared, i), dense, SIDE, length(tile), SIDE);
    }
}

/* A column of blocks of x, as right operands. */
static void pack_x(const struct workspace *w, const struct dense_sum *sum, struct range columns,
                   struct room room)
{
    for (int64_t b = 0; b < split_blocks(w->batch, SIDE); b++) {
        const struct range rows = split_block(w->batch, SIDE, b);
        packed_rows_load(room.dense, SIDE, &sum->x, rows, columns);
        square_right(&w->square, operand(w, room.operands, b), room.dense, SIDE, length(rows),
                     length(columns));
    }
}

/* A block of columns of some of the group's tiles. */
static void visit_columns(const struct workspace *w, const struct dense_sum *sum,
                          struct range tiles, struct range some, struct range columns,
                          visit_gradient *visit, void *context)
{
    const int64_t blocks = split_blocks(w->batch, SIDE);
    const struct room room = own_room(w);

    pack_x(w, sum, columns, room);
    for (int64_t t = some.first; t < some.end; t++) {
        memset(room.y, 0, SQUARE * sizeof *room.y);
        for (int64_t b = 0; b < blocks; b++)
            square_add(&w->square, room.y, operand(w, w->shared, t * blocks + b),
                       operand(w, room.operands, b));
        visit(context, turn_piece(w, sum->latents, LATENT_TILE, tiles.first + t), columns, room.y,
              SIDE);
    }
}

/* Block of columns by block; if there are too few for all threads, the tiles are dealt out too. */
void dense_gradients(struct workspace *workspace, const struct dense_sum *sum,
                     visit_gradient *visit, void *context)
{
    const struct workspace *w = workspace;
    const int64_t blocks = split_blocks(sum->x.width, COLUMNS);

    for (int64_t g = 0; g < groups_of_tiles(w, sum->latents); g++) {
        const struct range tiles = group_of_tiles(w, sum->latents, g);
        const int parts = blocks >= 3 * w->threads ? 1 : (int)length(tiles);
        expand_coefficients(w, sum, tiles);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t p = 0; p < blocks * parts; p++)
            visit_columns(w, sum, tiles, split_range(length(tiles), (int)(p % parts), parts),
                          split_block(sum->x.width, COLUMNS, p / parts), visit, context);
    }
}
