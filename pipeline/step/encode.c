#include "step/encode.h"
#include "base/allocate.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "step/architecture.h"
#include "step/turns.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct packed_rows encoder_input(const struct training *training,
                                 const struct workspace *workspace)
{
    struct packed_rows input = *workspace->x;

    input.centre = training->centred ? training->tensors[DECODER_BIAS].value : NULL;
    return input;
}

/* Make the input of some rows. */
static void make_input(const struct training *training, struct workspace *w, struct range rows)
{
    const bool bf16 = training->recipe.train.precision == PRECISION_BF16;
    const struct packed_rows from = encoder_input(training, w);
    const struct range all = { 0, training->inputs };

    #pragma omp parallel for
    for (int64_t row = rows.first; row < rows.end; row++) {
        const int64_t at = (row - rows.first) * training->inputs;
        float *values = bf16 ? w->scratch[omp_get_thread_num()] : (float *)w->input + at;
        packed_rows_load(values, all.end, &from, (struct range){ row, row + 1 }, all);
        if (bf16)
            bf16_from_float((uint16_t *)w->input + at, values, all.end);
    }
}

/* One thread's scratch (encode_scratch(), workspace.c). */
struct encode_room {
    float    *pre;          /* [ENCODE_ROWS, LATENT_TILE] */
    int32_t  *index;        /* entries of these, twice as many if they are listed in both */
    float    *value;        /* sections; pages that get none are never touched */
    void     *packed;       /* a tile of the encoder */
    float    *plain;        /* [LATENT_TILE, inputs] if that is short */
};

static struct encode_room room_of(const struct workspace *w)
{
    const struct product *product = w->products[omp_get_thread_num()];
    const int64_t most = ENCODE_ROWS * LATENT_TILE;
    float *scratch = w->scratch[omp_get_thread_num()];
    struct encode_room room = {
        .pre = scratch,
        .index = (int32_t *)(scratch + most),
        .value = scratch + 3 * most,
        .packed = scratch + 5 * most,
    };

    if (product != NULL)
        room.plain = (float *)((char *)room.packed + product_bytes(product));
    return room;
}

/* The encoder's own rows of one tile as oneDNN wants them.  A short tile is filled up with
 * zeros. */
static const void *pack_tile(const struct training *training, const struct workspace *w,
                             struct encode_room room, struct range own)
{
    const int64_t inputs = training->inputs, count = (own.end - own.first) * inputs;
    const float *tile = training->tensors[ENCODER].value + own.first * inputs;

    if (own.end - own.first < LATENT_TILE) {
        memset(room.plain + count, 0,
               (size_t)(LATENT_TILE * inputs - count) * sizeof *room.plain);
        tile = memcpy(room.plain, tile, (size_t)count * sizeof *tile);
    }
    product_pack(w->products[omp_get_thread_num()], room.packed, tile, PRECISION_F32, inputs, 1);
    return room.packed;
}

/* pre [rows, LATENT_TILE] becomes [rows, width]. */
static void narrow(float *pre, int64_t rows, int64_t width)
{
    for (int64_t row = 1; row < rows && width < LATENT_TILE; row++)
        memmove(pre + row * width, pre + row * LATENT_TILE, (size_t)width * sizeof *pre);
}

/* Products of some rows with one tile's latents.
 *   pre      [rows, own]  out
 *   first    of the rows, among those whose input is there
 *   packed   the tile for bf16, or NULL */
static void multiply(const struct training *training, const struct workspace *w, float *pre,
                     int64_t first, int64_t rows, struct range own, const void *packed)
{
    const int64_t inputs = training->inputs, width = own.end - own.first;

    if (packed == NULL) {
        gemm_nt(pre, width, (const float *)w->input + first * inputs, inputs,
                training->tensors[ENCODER].value + own.first * inputs, inputs, rows, width, inputs,
                false);
        return;
    }
    product_run(w->products[omp_get_thread_num()], pre,
                (const uint16_t *)w->input + first * inputs, packed);
    narrow(pre, rows, width);
}

/* Move a piece's entries behind those that other threads have found: where does not matter, since
 * they are looked for by piece. */
static void put_away(struct workspace *w, struct codes *piece)
{
    const int64_t count = piece->start[piece->groups];
    int64_t at;

    #pragma omp atomic capture
    { at = w->found.count; w->found.count += count; }
    piece->index = memcpy(w->found.index + at, piece->index, (size_t)count * sizeof *piece->index);
    piece->value = memcpy(w->found.value + at, piece->value, (size_t)count * sizeof *piece->value);
}

/* Some blocks of the rows whose input is there with number `tile` of the turn's tiles: products,
 * and what is found in them.  Blocks are counted from the first of these rows on. */
static void encode_tile(const struct training *training, struct workspace *w, struct range rows,
                        int64_t tile, struct range blocks)
{
    const struct range all = training->own_latents;
    const int64_t tiles = turn_pieces(w, all, LATENT_TILE);
    const struct range part = turn_piece(w, all, LATENT_TILE, tile);
    const struct range latents = { part.first - all.first, part.end - all.first };
    const bool bf16 = training->recipe.train.precision == PRECISION_BF16;
    const struct encode_room room = room_of(w);
    double since = omp_get_wtime();
    const void *packed = bf16 ? pack_tile(training, w, room, latents) : NULL;

    for (int64_t block = blocks.first; block < blocks.end; block++) {
        const struct range some = split_block(rows.end - rows.first, ENCODE_ROWS, block);
        const int64_t count = some.end - some.first;
        struct codes *piece = &w->pieces[block * tiles + tile];

        piece->index = room.index;
        piece->value = room.value;
        multiply(training, w, room.pre, some.first, count, latents, packed);
        since = part_done(w->spent, PART_ENCODE, w->threads, since);
        training->recipe.architecture->scan(training, w, piece, room.pre, count, latents);
        put_away(w, piece);
        since = part_done(w->spent, PART_SCAN, w->threads, since);
    }
}

/* All that the own tiles of the turn find in the rows whose input is there.  A tile is packed for
 * all of them at once, unless there are too few tiles for all threads. */
static void find_entries(const struct training *training, struct workspace *w, struct range rows)
{
    const int64_t tiles = turn_pieces(w, training->own_latents, LATENT_TILE);
    const int64_t blocks = split_blocks(rows.end - rows.first, ENCODE_ROWS);
    const int parts = tiles >= 3 * w->threads ? 1 : (int)blocks;

    w->found.count = 0;
    #pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < tiles * parts; p++)
        encode_tile(training, w, rows, p / parts, split_range(blocks, (int)(p % parts), parts));
}

/* Put side by side what was found in the tiles, as groups `first`, ... of `lists`. */
static void join_pieces(const struct training *training, struct workspace *w, struct codes *lists,
                        int64_t first, int64_t count)
{
    const int64_t tiles = turn_pieces(w, training->own_latents, LATENT_TILE);

    #pragma omp parallel for
    for (int64_t block = 0; block < split_blocks(count, ENCODE_ROWS); block++) {
        const struct range some = split_block(count, ENCODE_ROWS, block);
        codes_join_sizes(lists, first + some.first, some.end - some.first,
                         &w->pieces[block * tiles], tiles, 0);
    }
    codes_join_places(lists, first, count);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(count, ROW_BLOCK); b++) {
        const struct range some = split_block(count, ROW_BLOCK, b);
        const int64_t block = some.first / ENCODE_ROWS;
        codes_join(lists, first + some.first, some.end - some.first,
                   &w->pieces[block * tiles], tiles, some.first % ENCODE_ROWS);
    }
}

/* Drop entries of the lists of some rows, `first` and those behind, that others displace.
 *   to   with those of the rows before, or the same lists
 * Returns which bars were too high. */
static unsigned keep_of_rows(const struct training *training, struct workspace *w,
                             struct codes *to, const struct codes *lists, int64_t first)
{
    const unsigned high = training->recipe.architecture->cut_rows(training, w, lists, first);

    select_keep(to, first, lists, w->active_cuts + first, w->aside_cuts + first);
    return high;
}

static unsigned keep_of_batch(const struct training *training, struct workspace *w,
                              struct codes *lists)
{
    const struct architecture *architecture = training->recipe.architecture;

    if (architecture->cut_batch == NULL)
        return 0;
    const unsigned high = architecture->cut_batch(training, w, lists);
    select_keep(lists, 0, lists, w->active_cuts, w->aside_cuts);
    return high;
}

/* The pieces of some rows become their lists. */
static unsigned list_rows(const struct training *training, struct workspace *w, struct range rows)
{
    const int64_t count = rows.end - rows.first;

    if (!training->recipe.architecture->traits->keeps_k) {
        join_pieces(training, w, w->own, rows.first, count);
        return 0;
    }
    w->listed->groups = count;
    join_pieces(training, w, w->listed, 0, count);
    return keep_of_rows(training, w, w->own, w->listed, rows.first);
}

/* The lists of the own latents.  The input of all rows never exists, nor do all pieces, nor what
 * will not stay of all rows.  Returns which bars were too high, if these are all latents. */
static unsigned encode_own(const struct training *training, struct workspace *w)
{
    const int64_t each = input_rows(training->recipe.train.precision);
    unsigned high = 0;

    w->own->groups = w->batch;
    for (int64_t i = 0; i < split_blocks(w->batch, each); i++) {
        const struct range rows = split_block(w->batch, each, i);
        double since = omp_get_wtime();
        make_input(training, w, rows);
        part_done(w->spent, PART_ENCODE, 1, since);
        find_entries(training, w, rows);
        since = omp_get_wtime();
        high |= list_rows(training, w, rows);
        part_done(w->spent, PART_SCAN, 1, since);
    }
    const double since = omp_get_wtime();
    high |= keep_of_batch(training, w, w->own);
    part_done(w->spent, PART_SCAN, 1, since);
    return high;
}

/* Where each rank's lists begin in the gathered ones, from the lengths of their rows. */
static void place_gathered(struct workspace *w, int *counts, int *places)
{
    int32_t n = 0;

    for (int rank = 0; rank < w->ranks; rank++) {
        const int32_t *actives = w->lengths + rank * 2 * w->batch, *nears = actives + w->batch;
        struct codes *part = &w->gathered[rank];

        places[rank] = n;
        part->groups = w->batch;
        for (int64_t row = 0; row < w->batch; row++) {
            part->start[row] = n;
            part->middle[row] = n += actives[row];
            n += nears[row];
        }
        part->start[w->batch] = n;
        counts[rank] = n - places[rank];
    }
}

/* Give every rank all lists, in latent order. */
static void gather(const struct training *training, struct workspace *w)
{
    const int64_t blocks = split_blocks(w->batch, ROW_BLOCK);
    int *counts = allocate(w->ranks, sizeof *counts), *places = allocate(w->ranks, sizeof *places);
    int rank;

    MPI_Comm_rank(training->comm, &rank);
    int32_t *mine = w->lengths + rank * 2 * w->batch;
    for (int64_t row = 0; row < w->batch; row++) {
        mine[row] = (int32_t)(w->own->middle[row] - w->own->start[row]);
        mine[w->batch + row] = (int32_t)(w->own->start[row + 1] - w->own->middle[row]);
    }
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, w->lengths, comm_count(2 * w->batch),
                  MPI_INT32_T, training->comm);
    place_gathered(w, counts, places);
    MPI_Allgatherv(w->own->index, counts[rank], MPI_INT32_T, w->gathered->index, counts, places,
                   MPI_INT32_T, training->comm);
    MPI_Allgatherv(w->own->value, counts[rank], MPI_FLOAT, w->gathered->value, counts, places,
                   MPI_FLOAT, training->comm);

    w->rows->groups = w->batch;
    codes_join_sizes(w->rows, 0, w->batch, w->gathered, w->ranks, 0);
    codes_join_places(w->rows, 0, w->batch);
    #pragma omp parallel for
    for (int64_t block = 0; block < blocks; block++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, block);
        codes_join(w->rows, rows.first, rows.end - rows.first, w->gathered, w->ranks, rows.first);
    }
    free(places);
    free(counts);
}

/* Where the groups of a Matryoshka begin in each row. */
static void cut_groups(const struct training *training, struct workspace *w)
{
    const struct codes *rows = w->rows;

    for (int g = 1; g < training->recipe.prefixes; g++) {
        const int64_t first = recipe_group(&training->recipe, training->latents, g).first;
        #pragma omp parallel for
        for (int64_t row = 0; row < w->batch; row++) {
            int32_t at = g > 1 ? w->cuts[g - 1][row] : rows->start[row];
            while (at < rows->middle[row] && rows->index[at] < first)
                at++;
            w->cuts[g][row] = at;
        }
    }
}

/* The lists of all ranks, of which those that will not stay are dropped.  Returns which of the
 * workspace's bars were too high, as cut_rows() does.  Collective, the same on every rank. */
static unsigned list_entries(const struct training *training, struct workspace *w)
{
    training->recipe.architecture->prepare(training, w);
    unsigned high = encode_own(training, w);
    if (w->ranks == 1)
        return high;
    double since = omp_get_wtime();
    gather(training, w);
    since = part_done(w->spent, PART_EXCHANGE, 1, since);
    if (!training->recipe.architecture->traits->keeps_k)
        return 0;
    high = keep_of_rows(training, w, w->rows, w->rows, 0);
    high |= keep_of_batch(training, w, w->rows);
    part_done(w->spent, PART_SCAN, 1, since);
    return high;
}

void encode_turn(const struct training *training, struct workspace *workspace)
{
    unsigned high;

    for (int b = 0; b < BARS; b++)
        workspace->bar[b] = training->bar[b] >= 0 ? (float)training->bar[b] : FIRST_BAR;
    while ((high = list_entries(training, workspace)) != 0)
        for (int b = 0; b < BARS; b++)
            if (high >> b & 1)
                workspace->bar[b] = next_bar(workspace->bar[b]);
    const double since = omp_get_wtime();
    cut_groups(training, workspace);
    part_done(workspace->spent, PART_SCAN, 1, since);
}
