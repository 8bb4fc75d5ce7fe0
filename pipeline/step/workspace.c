#include "step/workspace.h"
#include "base/allocate.h"
#include "kernels/linear.h"
#include "kernels/slice.h"
#include "shard/store.h"
#include "step/dense.h"

#include <omp.h>
#include <stdlib.h>

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The sizes of everything, for the rank that gets most. */
struct sizes {
    int64_t row_blocks, column_blocks, tiles;   /* in all */
    int64_t encode_blocks;                      /* whose input is there at a time */
    int64_t own_column_blocks, own_tiles;
    int64_t own_columns, own_latents;           /* with the last block and tile full */
    int64_t entries, own_entries;               /* the worst case */
    int64_t scratch;                            /* floats a thread */
    int64_t shared;                             /* bytes */
    int64_t sums;
};

/* Floats for a product, its entries, and its tile as oneDNN wants it, which must be filled up first
 * if it is short (encode.c). */
static int64_t encode_scratch(const struct step_room *room)
{
    const int64_t inputs = room->shape.inputs;
    int64_t floats = 5 * (int64_t)ENCODE_ROWS * LATENT_TILE;

    if (room->precision == PRECISION_BF16)
        floats += linear_bytes(PRECISION_BF16, LATENT_TILE, inputs) / (int64_t)sizeof(float)
                  + (room->short_tile ? LATENT_TILE * inputs : 0);
    return floats;
}

/* Columns of the widest slice. */
static int64_t widest_slice(const struct step_room *room)
{
    const int64_t columns = most(room->shape.inputs, room->shape.outputs);
    const int64_t wide = slice_columns(room->precision);

    return columns < wide ? columns : wide;
}

/* Bytes of slices of a batch, behind one of all decoder rows if residuals are made anew. */
static int64_t gradient_slices(const struct step_room *room)
{
    const int64_t widest = widest_slice(room);

    return room->slices * slice_bytes(room->precision, room->batch, widest)
           + (room->remade ? slice_bytes(room->precision, room->shape.latents, widest) : 0);
}

/* Floats for a block of each residual, and for rows that a skip matrix takes (decode.c); for one of
 * the input, or of gradients, too (gradients.c). */
static int64_t decode_scratch(const struct step_room *room)
{
    return (int64_t)ROW_BLOCK * (room->residuals * SLICE_COLUMNS
                                 + (room->skip ? room->shape.inputs : 0));
}

/* Floats for the gradient of a block of rows of a skip matrix, and what it is made of. */
static int64_t skip_scratch(const struct step_room *room)
{
    return (COLUMNS + (int64_t)ROW_BLOCK) * room->shape.inputs + ROW_BLOCK * COLUMNS;
}

static enum store store_of(enum precision precision)
{
    return precision == PRECISION_BF16 ? STORE_BF16 : STORE_F32;
}

/* Blocks of ENCODE_ROWS whose input is there at a time, and its bytes. */
static int64_t encode_blocks(const struct step_room *room)
{
    const int64_t all = split_blocks(room->batch, ENCODE_ROWS);
    const int64_t some = input_rows(room->precision) / ENCODE_ROWS;

    return all < some ? all : some;
}

static int64_t input_bytes(const struct step_room *room)
{
    return encode_blocks(room) * ENCODE_ROWS * room->shape.inputs
           * store_bytes(store_of(room->precision));
}

/* Bytes of where the groups of some lists begin. */
static int64_t starts_bytes(int64_t count, int64_t groups)
{
    return count * (2 * groups + 1) * (int64_t)sizeof(int32_t);
}

/* Bytes of where the rows of the pieces begin, filled up so that what is behind them is aligned. */
static int64_t piece_starts(const struct sizes *s)
{
    return split_blocks(starts_bytes(s->encode_blocks * s->own_tiles, ENCODE_ROWS), 64) * 64;
}

static struct sizes find_sizes(const struct step_room *room, int ranks)
{
    const int64_t batch = room->batch, latents = room->shape.latents;
    const int lists = room->overlaps ? 2 : 1;
    struct sizes s = {
        .row_blocks = split_blocks(batch, ROW_BLOCK),
        .encode_blocks = encode_blocks(room),
        .column_blocks = split_blocks(room->shape.outputs, COLUMNS),
        .tiles = split_blocks(latents, LATENT_TILE),
        .entries = lists * batch * latents,
    };
    s.own_column_blocks = split_blocks(s.column_blocks, ranks);
    s.own_tiles = split_blocks(s.tiles, ranks);
    s.own_columns = s.own_column_blocks * COLUMNS;
    s.own_latents = s.own_tiles * LATENT_TILE;
    s.own_entries = lists * batch * (s.own_latents < latents ? s.own_latents : latents);
    s.scratch = most(encode_scratch(room), decode_scratch(room));
    if (room->skip)
        s.scratch = most(s.scratch, skip_scratch(room));
    s.shared = most(slice_bytes(room->precision, latents, widest_slice(room)),
                    piece_starts(&s) + input_bytes(room));
    s.shared = most(s.shared, gradient_slices(room));
    if (room->dense) {
        s.scratch = most(s.scratch, dense_scratch(room, s.own_columns) / (int64_t)sizeof(float));
        s.shared = most(s.shared, dense_shared(room, s.own_columns));
    }
    s.sums = room->shape.outputs + room->residuals * s.column_blocks + s.tiles;
    return s;
}

/* Norms of the decoder's blocks, or of the encoder's. */
static int64_t block_norms(const struct step_room *room, const struct sizes *s)
{
    return most(s->own_column_blocks * room->shape.latents,
                split_blocks(room->shape.inputs, COLUMNS) * s->own_latents);
}

/* `count` lists of so many groups, all in one piece of memory, which the first one holds; with
 * 0 entries these are lent.  Where the entries of the others begin is found when they are
 * filled. */
static struct codes *make_lists(int64_t count, int64_t groups, int64_t entries)
{
    struct codes *lists = allocate(count, sizeof *lists);

    lists[0] = (struct codes){
        .start = allocate(count * (groups + 1), sizeof(int32_t)),
        .middle = allocate(count * groups, sizeof(int32_t)),
        .index = entries > 0 ? allocate(entries, sizeof(int32_t)) : NULL,
        .value = entries > 0 ? allocate(entries, sizeof(float)) : NULL,
    };
    for (int64_t i = 0; i < count; i++) {
        lists[i] = lists[0];
        lists[i].groups = groups;
        lists[i].start += i * (groups + 1);
        lists[i].middle += i * groups;
    }
    return lists;
}

/* Lists of the pieces, without memory for entries.  Where their rows begin lies in what is shared,
 * which is free while they are made and joined. */
static struct codes *make_pieces(const struct sizes *s, void *shared)
{
    const int64_t count = s->encode_blocks * s->own_tiles, each = 2 * ENCODE_ROWS + 1;
    struct codes *pieces = allocate(count, sizeof *pieces);

    for (int64_t i = 0; i < count; i++)
        pieces[i] = (struct codes){
            .groups = ENCODE_ROWS,
            .start = (int32_t *)shared + i * each,
            .middle = (int32_t *)shared + i * each + ENCODE_ROWS + 1,
        };
    return pieces;
}

static void free_lists(struct codes *lists, bool lent)
{
    if (lists == NULL)
        return;
    free(lists->start);
    free(lists->middle);
    free(lent ? NULL : lists->index);
    free(lent ? NULL : lists->value);
    free(lists);
}

/* When the columns are made, what the encoder listed lies in the rows; and while it lists, there
 * are no dot products and gradients. */
static void lend_entries(struct workspace *w)
{
    w->listed->index = (int32_t *)w->dots;
    w->listed->value = w->gradient;
    w->columns->index = w->ranks > 1 ? w->gathered->index : w->found.index;
    w->columns->value = w->ranks > 1 ? w->gathered->value : w->found.value;
}

/* What the architectures have in the workspace. */
static void make_for_architectures(struct workspace *w, const struct step_room *room,
                                   const struct sizes *s)
{
    const int64_t batch = room->batch;

    for (int r = 0; r < room->residuals; r++)
        w->residual[r] = (struct packed_rows){
            .memory = allocate_big(batch * s->own_columns, store_bytes(store_of(room->precision))),
            .store = store_of(room->precision),
            .factor = 1,
        };
    w->threshold = allocate(s->own_latents, sizeof(float));
    w->floor = allocate(s->own_latents, sizeof(float));
    w->gain = allocate(s->own_latents, sizeof(float));
    w->sparsity = allocate(batch, sizeof(double));
    w->slope = allocate(batch, sizeof(double));
    w->fired = allocate(room->shape.latents, sizeof(int32_t));
    w->in_window = allocate(s->own_latents, sizeof(int32_t));
    w->active_cuts = allocate(batch, sizeof(struct cut));
    w->aside_cuts = allocate(batch, sizeof(struct cut));
    for (int g = 1; g < room->residuals; g++)
        w->cuts[g] = allocate(batch, sizeof(int32_t));
    w->input_sum = allocate(s->own_latents, sizeof(double));
    for (int v = 0; v < VECTORS; v++)
        w->vector_gradient[v] = allocate(s->own_latents, sizeof(float));
}

static void make_for_precision(struct workspace *w, const struct step_room *room,
                               const struct sizes *s)
{
    w->shared = allocate_aligned(s->shared);
    w->pieces = make_pieces(s, w->shared);
    w->input = (char *)w->shared + piece_starts(s);
    square_make(&w->square, room->precision);
    for (int i = 0; i < w->threads; i++) {
        w->scratch[i] = allocate_aligned(s->scratch * (int64_t)sizeof(float));
        if (room->precision == PRECISION_BF16)
            w->products[i] = product_make(ENCODE_ROWS, LATENT_TILE, room->shape.inputs, false);
    }
}

void workspace_make(struct workspace *workspace, MPI_Comm comm, const struct step_room *room)
{
    const int64_t batch = room->batch, inputs = room->shape.inputs;
    const int64_t latents = room->shape.latents;
    struct workspace *w = workspace;
    int ranks;

    MPI_Comm_size(comm, &ranks);
    const struct sizes s = find_sizes(room, ranks);
    *w = (struct workspace){
        .room = *room,
        .batch = batch,
        .ranks = ranks,
        .threads = omp_get_max_threads(),
        .found = { .index = allocate(s.own_entries, sizeof(int32_t)),
                   .value = allocate(s.own_entries, sizeof(float)) },
        .own = make_lists(1, batch, s.own_entries),
        .listed = make_lists(1, s.encode_blocks * ENCODE_ROWS, 0),
        .columns = make_lists(1, latents, 0),
        .dots = allocate(s.entries, sizeof(float)),
        .gradient = allocate(s.entries, sizeof(float)),
        .along = allocate(latents, sizeof(double)),
        .norms = allocate(latents, sizeof(double)),
        .gradient_norms = allocate(latents, sizeof(double)),
        .block_norms = allocate(block_norms(room, &s), sizeof(float)),
        .decoder_bias_gradient = allocate(room->shape.outputs, sizeof(float)),
        .tile_sums = allocate(s.own_tiles * inputs, sizeof(float)),
        .encoder_sums = allocate(inputs, sizeof(double)),
        .squares = allocate(room->residuals * s.own_column_blocks * s.row_blocks, sizeof(double)),
        .block_sums = allocate(s.row_blocks * s.own_columns, sizeof(double)),
        .sums = allocate(s.sums, sizeof(double)),
        .scratch = allocate(omp_get_max_threads(), sizeof(float *)),
        .products = allocate(omp_get_max_threads(), sizeof(struct product *)),
    };
    make_for_architectures(w, room, &s);
    make_for_precision(w, room, &s);
    w->rows = w->own;
    if (ranks > 1) {
        w->gathered = make_lists(ranks, batch, s.entries);
        w->lengths = allocate(ranks * 2 * batch, sizeof(int32_t));
        w->rows = make_lists(1, batch, s.entries);
    }
    lend_entries(w);
}

static void free_for_architectures(struct workspace *w)
{
    for (int v = 0; v < VECTORS; v++)
        free(w->vector_gradient[v]);
    free(w->input_sum);
    for (int g = 1; g < w->room.residuals; g++)
        free(w->cuts[g]);
    free(w->aside_cuts);
    free(w->active_cuts);
    free(w->in_window);
    free(w->fired);
    free(w->slope);
    free(w->sparsity);
    free(w->gain);
    free(w->floor);
    free(w->threshold);
    for (int r = 0; r < w->room.residuals; r++)
        free(w->residual[r].memory);
}

void workspace_free(struct workspace *workspace)
{
    struct workspace *w = workspace;

    for (int i = 0; i < w->threads; i++) {
        product_free(w->products[i]);
        free(w->scratch[i]);
    }
    free(w->products);
    free(w->scratch);
    square_free(&w->square);
    free(w->shared);
    free(w->sums);
    free(w->block_sums);
    free(w->squares);
    free(w->encoder_sums);
    free(w->tile_sums);
    free(w->decoder_bias_gradient);
    free(w->block_norms);
    free(w->gradient_norms);
    free(w->norms);
    free(w->along);
    free(w->gradient);
    free(w->dots);
    free_lists(w->columns, true);
    free_lists(w->listed, true);
    if (w->rows != w->own)
        free_lists(w->rows, false);
    free_lists(w->own, false);
    free(w->lengths);
    free_lists(w->gathered, false);
    free(w->found.index);
    free(w->found.value);
    free(w->pieces);
    free_for_architectures(w);
    *w = (struct workspace){0};
}

/* Of `count` lists of so many groups, as far as they are used. */
static double lists_bytes(int64_t count, int64_t groups, double entries)
{
    return (double)starts_bytes(count, groups)
           + entries * (double)(sizeof(int32_t) + sizeof(float));
}

/* The lists, the dot products and the gradients.  What the encoder found in the rows whose input
 * was there makes room for the columns, and what it listed of them for the others.  On several
 * ranks some of what each keeps of its own latents is dropped only when all are together. */
static double entries_bytes(const struct step_room *room, const struct sizes *s, int ranks,
                            const struct step_phase *phase)
{
    const int64_t batch = room->batch, latents = room->shape.latents;
    const int64_t own = s->own_latents < latents ? s->own_latents : latents;
    const double found = phase->found * (double)own / (double)latents, kept = phase->kept;
    const int64_t rows = s->encode_blocks * ENCODE_ROWS;
    const double some = rows < batch ? found * (double)rows / (double)batch : found;
    const double listed = kept < phase->found && some > kept ? some : kept;
    const double bytes = lists_bytes(1, latents, 0) + lists_bytes(1, rows, listed);

    if (ranks == 1)
        return bytes + lists_bytes(1, batch, phase->listed)
               + lists_bytes(0, 0, some > kept ? some : kept);
    return bytes + lists_bytes(1, batch, found) + lists_bytes(0, 0, some)
           + lists_bytes(ranks, batch, phase->found) + lists_bytes(1, batch, phase->found)
           + (double)(ranks * 2 * batch) * sizeof(int32_t);
}

/* The lists, and the residuals that are kept. */
static int64_t phase_bytes(const struct step_room *room, const struct sizes *s, int ranks,
                           const struct step_phase *phase)
{
    return (int64_t)entries_bytes(room, s, ranks, phase)
           + phase->residuals * room->batch * s->own_columns
             * store_bytes(store_of(room->precision));
}

int64_t workspace_bytes(const struct step_room *room, int ranks, int threads, int64_t ahead)
{
    const struct sizes s = find_sizes(room, ranks);
    const int64_t batch = room->batch, inputs = room->shape.inputs;
    const int64_t latents = room->shape.latents;
    const int64_t floats = (4 + VECTORS) * s.own_latents
                           + room->shape.outputs + latents + threads * s.scratch
                           + block_norms(room, &s) + s.own_tiles * inputs;
    const int64_t doubles = 3 * latents + inputs + s.sums + s.row_blocks * s.own_columns
                            + room->residuals * s.own_column_blocks * s.row_blocks + s.own_latents
                            + (5 + room->residuals) * batch;

    return floats * (int64_t)sizeof(float) + doubles * (int64_t)sizeof(double)
           + most(phase_bytes(room, &s, ranks, &room->while_long),
                  phase_bytes(room, &s, ranks, &room->while_short) + ahead)
           + s.shared;
}
