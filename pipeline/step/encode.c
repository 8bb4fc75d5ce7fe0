#include "step/encode.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/linear.h"
#include "step/architecture.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory -------------------------------------------------------------------------- */

enum { PIECE_STARTS = 2 * ENCODE_ROWS + 1 };

/* Rows whose input is there at a time, in blocks of ENCODE_ROWS. */
static int64_t blocks_at_once(const struct step_sizes *sizes)
{
    return min_int64(split_blocks(sizes->needs.batch, ENCODE_ROWS),
                     encode_rows(sizes->needs.precision) / ENCODE_ROWS);
}

static void products_storage(struct encoder *encoder, const struct step_sizes *sizes,
                             struct storage *storage)
{
    const struct step_needs *needs = &sizes->needs;

    for (int i = 0; i < encoder->threads && storage->action == STORAGE_FREE; i++)
        product_free(encoder->products[i]);
    STORAGE(storage, encoder->products, sizes->threads);
    encoder->threads = sizes->threads;
    if (storage->action == STORAGE_ALLOCATE && needs->precision == PRECISION_BF16)
        for (int i = 0; i < sizes->threads; i++)
            encoder->products[i] = product_make(ENCODE_ROWS, LATENT_TILE, needs->shape.inputs,
                                                false);
}

/* Ranks gather all that they find, since only then it is known what stays. */
void encode_storage(struct encoder *encoder, const struct step_sizes *sizes,
                    struct storage *storage)
{
    const int64_t batch = sizes->needs.batch, blocks = blocks_at_once(sizes);
    const int64_t pieces = blocks * sizes->own_tiles;
    const double found = sizes->needs.found, own = found * sizes->own_share;
    const double at_once = own * fmin(1, (double)(blocks * ENCODE_ROWS) / (double)batch);

    encoder->ranks = sizes->ranks;
    products_storage(encoder, sizes, storage);
    STORAGE(storage, encoder->pieces, pieces);
    STORAGE(storage, encoder->starts, pieces * PIECE_STARTS);
    STORAGE_ENTRIES(storage, encoder->found.index, sizes->own_entries, at_once);
    STORAGE_ENTRIES(storage, encoder->found.value, sizes->own_entries, at_once);
    STORAGE(storage, encoder->active, batch);
    STORAGE(storage, encoder->auxiliary, batch);
    if (sizes->ranks > 1) {
        lists_codes_storage(&encoder->own, batch, sizes->own_entries, own, storage);
        lists_codes_storage(&encoder->gathered, sizes->ranks * (batch + 1), sizes->entries, found,
                            storage);
        STORAGE(storage, encoder->lengths, sizes->ranks * 2 * batch);
    }
}

/* What the threads of encode() work with.  The input of some rows is in the shared scratch, in the
 * precision of the product. */
struct encoding {
    const struct training *training;
    const struct batch *batch;
    const struct criteria *criteria;
    struct encoder *encoder;
    struct step_scratch *scratch;
    struct pass pass;
};

static bool is_bf16(const struct encoding *e)
{
    return e->training->recipe.train.precision == PRECISION_BF16;
}

static int64_t own_tiles(const struct encoding *e)
{
    return pass_pieces(e->pass, e->training->own_latents, LATENT_TILE);
}

/* ---- products ------------------------------------------------------------------------ */

/* Make the input of some rows. */
static void make_input(const struct encoding *e, struct range rows)
{
    const struct packed_rows from = batch_encoder_input(e->batch, e->training);
    const struct range all = { 0, e->training->inputs };

    #pragma omp parallel for
    for (int64_t row = rows.first; row < rows.end; row++) {
        const int64_t at = (row - rows.first) * all.end;
        float *values = is_bf16(e) ? step_scratch_own(e->scratch)
                                   : (float *)e->scratch->shared + at;
        packed_rows_load(values, all.end, &from, (struct range){ row, row + 1 }, all);
        if (is_bf16(e))
            bf16_from_float((uint16_t *)e->scratch->shared + at, values, all.end);
    }
}

/* One thread's scratch. */
struct buffers {
    struct product *product;    /* of this thread, for bf16 */
    float   *pre;               /* [ENCODE_ROWS, LATENT_TILE] */
    int32_t *index;             /* entries of these, twice as many if they are listed in both */
    float   *value;             /* sections; pages that get none are never touched */
    void    *packed;            /* a tile of the encoder */
    float   *plain;             /* [LATENT_TILE, inputs] a tile that is short */
};

static struct buffers own_buffers(const struct encoding *e)
{
    const int64_t most = ENCODE_ROWS * LATENT_TILE;
    float *own = step_scratch_own(e->scratch);
    struct buffers buffers = {
        .product = e->encoder->products[omp_get_thread_num()],
        .pre = own,
        .index = (int32_t *)(own + most),
        .value = own + 3 * most,
        .packed = own + 5 * most,
    };

    if (buffers.product != NULL)
        buffers.plain = (float *)((char *)buffers.packed + product_bytes(buffers.product));
    return buffers;
}

struct scratch_size encode_scratch(const struct step_sizes *sizes)
{
    const struct step_needs *needs = &sizes->needs;
    const int64_t inputs = needs->shape.inputs;
    const int64_t rows = blocks_at_once(sizes) * ENCODE_ROWS;
    struct scratch_size size = {
        .shared = rows * inputs * store_bytes(sizes->store),
        .own = 5 * (int64_t)ENCODE_ROWS * LATENT_TILE * (int64_t)sizeof(float),
    };

    if (needs->precision == PRECISION_BF16)
        size.own += linear_bytes(PRECISION_BF16, LATENT_TILE, inputs);
    if (needs->precision == PRECISION_BF16 && needs->short_tile)
        size.own += LATENT_TILE * inputs * (int64_t)sizeof(float);
    return size;
}

/* Pack the encoder's own rows of one tile as oneDNN wants them.  A short tile is filled up with
 * zeros. */
static void pack_tile(const struct encoding *e, struct buffers buffers, struct range own)
{
    const int64_t inputs = e->training->inputs, count = range_length(own) * inputs;
    const float *tile = e->training->tensors[ENCODER].value + own.first * inputs;

    if (range_length(own) < LATENT_TILE) {
        memset(buffers.plain + count, 0,
               (size_t)(LATENT_TILE * inputs - count) * sizeof *buffers.plain);
        tile = memcpy(buffers.plain, tile, (size_t)count * sizeof *tile);
    }
    product_pack(buffers.product, buffers.packed, tile, PRECISION_F32, inputs, 1);
}

/* pre [rows, LATENT_TILE] becomes [rows, width]. */
static void narrow(float *pre, int64_t rows, int64_t width)
{
    for (int64_t row = 1; row < rows && width < LATENT_TILE; row++)
        memmove(pre + row * width, pre + row * LATENT_TILE, (size_t)width * sizeof *pre);
}

/* Products of some rows with one tile's latents, which is packed for bf16.
 *   first   of the rows, among those whose input is there */
static void multiply(const struct encoding *e, struct buffers buffers, int64_t first, int64_t rows,
                     struct range own)
{
    const int64_t inputs = e->training->inputs, width = range_length(own);

    if (is_bf16(e)) {
        product_run(buffers.product, buffers.pre,
                    (const uint16_t *)e->scratch->shared + first * inputs, buffers.packed);
        narrow(buffers.pre, rows, width);
    } else {
        gemm_nt(buffers.pre, width, (const float *)e->scratch->shared + first * inputs, inputs,
                e->training->tensors[ENCODER].value + own.first * inputs, inputs, rows, width,
                inputs, false);
    }
}

/* ---- own latents --------------------------------------------------------------------- */

/* Append a piece's entries to those that other threads have found, in any order: they are looked up
 * by piece. */
static void put_away(struct encoder *encoder, struct codes *piece)
{
    const int64_t count = piece->start[piece->groups];
    int64_t at;

    #pragma omp atomic capture
    {
        at = encoder->found.count;
        encoder->found.count += count;
    }
    piece->index = memcpy(encoder->found.index + at, piece->index,
                          (size_t)count * sizeof *piece->index);
    piece->value = memcpy(encoder->found.value + at, piece->value,
                          (size_t)count * sizeof *piece->value);
}

/* Multiply some blocks of the rows whose input is there with number `tile` of the pass's own tiles,
 * and list what is found.  Blocks are counted from the first of these rows. */
static void encode_tile(const struct encoding *e, struct range rows, int64_t tile,
                        struct range blocks)
{
    const struct range all = e->training->own_latents;
    const struct range part = pass_piece(e->pass, all, LATENT_TILE, tile);
    const struct range own = { part.first - all.first, part.end - all.first };
    const struct buffers buffers = own_buffers(e);
    struct step_timer *timer = &e->scratch->timer;
    double since = omp_get_wtime();

    if (is_bf16(e))
        pack_tile(e, buffers, own);
    for (int64_t block = blocks.first; block < blocks.end; block++) {
        const struct range some = split_block(range_length(rows), ENCODE_ROWS, block);
        const int64_t number = block * own_tiles(e) + tile;
        int32_t *start = e->encoder->starts + number * PIECE_STARTS;
        struct codes *piece = &e->encoder->pieces[number];

        *piece = (struct codes){ .start = start, .middle = start + ENCODE_ROWS + 1,
                                 .index = buffers.index, .value = buffers.value };
        multiply(e, buffers, some.first, range_length(some), own);
        since = step_timer_part(timer, PART_ENCODE, e->scratch->threads, since);
        e->training->architecture->scan(e->training, e->criteria, piece, buffers.pre,
                                        range_length(some), own);
        put_away(e->encoder, piece);
        since = step_timer_part(timer, PART_SCAN, e->scratch->threads, since);
    }
}

/* Find the entries of the own tiles of the pass in the rows whose input is there.  A tile is packed
 * for all of these rows at once, unless there are too few tiles for all threads. */
static void find_entries(const struct encoding *e, struct range rows)
{
    const int64_t tiles = own_tiles(e), blocks = split_blocks(range_length(rows), ENCODE_ROWS);
    const int parts = tiles >= 3 * e->scratch->threads ? 1 : (int)blocks;

    e->encoder->found.count = 0;
    #pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < tiles * parts; p++)
        encode_tile(e, rows, p / parts, split_range(blocks, (int)(p % parts), parts));
}

/* Join what the tiles have found in some rows to the lists of these rows. */
static void join_pieces(const struct encoding *e, struct codes *lists, struct range rows)
{
    const int64_t tiles = own_tiles(e), count = range_length(rows);
    const struct codes *pieces = e->encoder->pieces;

    #pragma omp parallel for
    for (int64_t block = 0; block < split_blocks(count, ENCODE_ROWS); block++) {
        const struct range some = split_block(count, ENCODE_ROWS, block);
        codes_join_sizes(lists, rows.first + some.first, range_length(some),
                         &pieces[block * tiles], tiles, 0);
    }
    codes_join_places(lists, rows.first, count);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(count, ROW_BLOCK); b++) {
        const struct range some = split_block(count, ROW_BLOCK, b);
        codes_join(lists, rows.first + some.first, range_length(some),
                   &pieces[some.first / ENCODE_ROWS * tiles], tiles, some.first % ENCODE_ROWS);
    }
}

/* Drop entries that others displace. */
static void drop_displaced(const struct encoding *e, struct codes *lists)
{
    struct encoder *encoder = e->encoder;

    if (e->training->architecture->select == NULL)
        return;
    e->training->architecture->select(e->training, e->criteria, lists, encoder->active,
                                      encoder->auxiliary);
    select_keep(lists, 0, lists, encoder->active, encoder->auxiliary);
}

/* The lists of the own latents.  The input of all rows never exists, nor do all pieces. */
static void list_own(const struct encoding *e, struct codes *lists)
{
    const int64_t each = encode_rows(e->training->recipe.train.precision);
    struct step_timer *timer = &e->scratch->timer;

    lists->groups = e->batch->rows;
    for (int64_t i = 0; i < split_blocks(e->batch->rows, each); i++) {
        const struct range rows = split_block(e->batch->rows, each, i);
        double since = omp_get_wtime();
        make_input(e, rows);
        step_timer_part(timer, PART_ENCODE, 1, since);
        find_entries(e, rows);
        since = omp_get_wtime();
        join_pieces(e, lists, rows);
        step_timer_part(timer, PART_SCAN, 1, since);
    }
    const double since = omp_get_wtime();
    drop_displaced(e, lists);
    step_timer_part(timer, PART_SCAN, 1, since);
}

/* ---- all latents --------------------------------------------------------------------- */

/* Make lists of each rank's entries in the gathered ones, from the lengths of their rows.
 *   parts   [ranks]   out */
static void place_gathered(const struct encoder *encoder, int64_t batch, struct codes *parts,
                           int *counts, int *offsets)
{
    const struct codes *all = &encoder->gathered;
    int32_t n = 0;

    for (int rank = 0; rank < encoder->ranks; rank++) {
        const int32_t *active = encoder->lengths + rank * 2 * batch, *auxiliary = active + batch;
        struct codes *part = &parts[rank];

        offsets[rank] = n;
        *part = (struct codes){ .groups = batch, .start = all->start + rank * (batch + 1),
                                .middle = all->middle + rank * batch, .index = all->index,
                                .value = all->value };
        for (int64_t row = 0; row < batch; row++) {
            part->start[row] = n;
            part->middle[row] = n += active[row];
            n += auxiliary[row];
        }
        part->start[batch] = n;
        counts[rank] = n - offsets[rank];
    }
}

/* Gather the lengths of the rows of all ranks.  Collective. */
static void gather_lengths(struct encoder *encoder, int64_t batch, MPI_Comm comm)
{
    const struct codes *own = &encoder->own;
    int rank;

    MPI_Comm_rank(comm, &rank);
    int32_t *mine = encoder->lengths + rank * 2 * batch;
    for (int64_t row = 0; row < batch; row++) {
        mine[row] = own->middle[row] - own->start[row];
        mine[batch + row] = own->start[row + 1] - own->middle[row];
    }
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, encoder->lengths, comm_count(2 * batch),
                  MPI_INT32_T, comm);
}

/* Join the lists of all ranks, which are in latent order.
 *   lists   out, on every rank
 * Collective. */
static void gather(struct encoder *encoder, int64_t batch, MPI_Comm comm, struct codes *lists)
{
    struct codes *parts = allocate(encoder->ranks, sizeof *parts);
    int *counts = allocate(encoder->ranks, sizeof *counts);
    int *offsets = allocate(encoder->ranks, sizeof *offsets);
    const struct codes *own = &encoder->own;

    gather_lengths(encoder, batch, comm);
    place_gathered(encoder, batch, parts, counts, offsets);
    MPI_Allgatherv(own->index, own->start[batch], MPI_INT32_T, encoder->gathered.index, counts,
                   offsets, MPI_INT32_T, comm);
    MPI_Allgatherv(own->value, own->start[batch], MPI_FLOAT, encoder->gathered.value, counts,
                   offsets, MPI_FLOAT, comm);
    lists->groups = batch;
    codes_join_sizes(lists, 0, batch, parts, encoder->ranks, 0);
    codes_join_places(lists, 0, batch);
    #pragma omp parallel for
    for (int64_t block = 0; block < split_blocks(batch, ROW_BLOCK); block++) {
        const struct range rows = split_block(batch, ROW_BLOCK, block);
        codes_join(lists, rows.first, range_length(rows), parts, encoder->ranks, rows.first);
    }
    free(offsets);
    free(counts);
    free(parts);
}

/* Collective. */
static void list_all(const struct encoding *e, struct codes *lists)
{
    struct step_timer *timer = &e->scratch->timer;

    if (e->encoder->ranks == 1) {
        list_own(e, lists);
        return;
    }
    list_own(e, &e->encoder->own);
    double since = omp_get_wtime();
    gather(e->encoder, e->batch->rows, e->training->comm, lists);
    since = step_timer_part(timer, PART_EXCHANGE, 1, since);
    drop_displaced(e, lists);
    step_timer_part(timer, PART_SCAN, 1, since);
}

void encode(const struct training *training, const struct batch *batch, struct pass pass,
            struct encoder *encoder, struct step_scratch *scratch, struct criteria *criteria,
            struct lists *lists)
{
    const struct encoding encoding = { training, batch, criteria, encoder, scratch, pass };
    const struct architecture *architecture = training->architecture;

    criteria_begin(criteria, training);
    list_all(&encoding, &lists->rows);
    while (architecture->lower_bounds != NULL
           && architecture->lower_bounds(training, criteria, &lists->rows)) {
        architecture->prepare(training, criteria);
        list_all(&encoding, &lists->rows);
    }
    const double since = omp_get_wtime();
    lists->pass = pass;
    lists_find_groups(lists, training);
    step_timer_part(&scratch->timer, PART_SCAN, 1, since);
}
