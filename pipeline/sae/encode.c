#include "sae/encode.h"
#include "kernels/gemm.h"
#include "sae/architecture.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

static void centre(const struct training *training, struct workspace *w, const float *x)
{
    const float *bias = training->tensors[DECODER_BIAS].value;
    const int64_t inputs = training->inputs;

    w->input = x;
    if (!training->centred)
        return;
    w->input = w->centred;
    #pragma omp parallel for
    for (int64_t row = 0; row < w->batch; row++)
        for (int64_t j = 0; j < inputs; j++)
            w->centred[row * inputs + j] = x[row * inputs + j] - bias[j];
}

/* One product and its scan: rows of one block, latents of one tile. */
static void encode_piece(const struct training *training, struct workspace *w, int64_t block,
                         int64_t tile, int64_t tiles)
{
    const struct range rows = split_block(w->batch, ROW_BLOCK, block);
    const int64_t own = training->own_latents.end - training->own_latents.first;
    const struct range latents = split_block(own, LATENT_TILE, tile);
    const int64_t count = rows.end - rows.first, width = latents.end - latents.first;
    const int64_t inputs = training->inputs;
    const int64_t place = (w->room.overlaps ? 2 : 1) * (rows.first * own + count * latents.first);
    float *pre = w->scratch[omp_get_thread_num()];
    struct codes *piece = &w->pieces[block * tiles + tile];

    double since = omp_get_wtime();

    piece->index = w->pieces->index + place;    /* the first piece's place is 0 */
    piece->value = w->pieces->value + place;
    gemm_nt(pre, width, w->input + rows.first * inputs, inputs,
            training->tensors[ENCODER].value + latents.first * inputs, inputs,
            count, width, inputs, false);
    since = part_done(w->spent, PART_ENCODE, w->threads, since);
    training->recipe.architecture->scan(training, w, piece, pre, count, latents);
    part_done(w->spent, PART_SCAN, w->threads, since);
}

static void encode_own(const struct training *training, struct workspace *w)
{
    const int64_t own = training->own_latents.end - training->own_latents.first;
    const int64_t tiles = split_blocks(own, LATENT_TILE);
    const int64_t blocks = split_blocks(w->batch, ROW_BLOCK);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t p = 0; p < blocks * tiles; p++)
        encode_piece(training, w, p / tiles, p % tiles, tiles);

    const double since = omp_get_wtime();
    w->own->groups = w->batch;
    for (int64_t block = 0; block < blocks; block++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, block);
        codes_join_sizes(w->own, rows.first, rows.end - rows.first, &w->pieces[block * tiles],
                         tiles, 0);
    }
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, block);
        codes_join(w->own, rows.first, rows.end - rows.first, &w->pieces[block * tiles], tiles,
                   0);
    }
    part_done(w->spent, PART_SCAN, 1, since);
}

/* Where each rank's lists begin in the gathered ones, from the lengths of their rows. */
static void place_gathered(struct workspace *w, int *counts, int *places)
{
    int64_t n = 0;

    for (int rank = 0; rank < w->ranks; rank++) {
        const int32_t *actives = w->lengths + rank * 2 * w->batch, *nears = actives + w->batch;
        struct codes *part = &w->gathered[rank];

        places[rank] = mpi_count(n);
        part->groups = w->batch;
        for (int64_t row = 0; row < w->batch; row++) {
            part->start[row] = n;
            part->middle[row] = n += actives[row];
            n += nears[row];
        }
        part->start[w->batch] = n;
        counts[rank] = mpi_count(n - places[rank]);
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
    MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, w->lengths, mpi_count(2 * w->batch),
                  MPI_INT32_T, training->comm);
    place_gathered(w, counts, places);
    MPI_Allgatherv(w->own->index, counts[rank], MPI_INT32_T, w->gathered->index, counts, places,
                   MPI_INT32_T, training->comm);
    MPI_Allgatherv(w->own->value, counts[rank], MPI_FLOAT, w->gathered->value, counts, places,
                   MPI_FLOAT, training->comm);

    w->rows->groups = w->batch;
    codes_join_sizes(w->rows, 0, w->batch, w->gathered, w->ranks, 0);
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
            int64_t at = g > 1 ? w->cuts[g - 1][row] : rows->start[row];
            while (at < rows->middle[row] && rows->index[at] < first)
                at++;
            w->cuts[g][row] = at;
        }
    }
}

static void count_fired(const struct training *training, struct workspace *w)
{
    memset(w->fired, 0, (size_t)training->latents * sizeof *w->fired);
    for (int64_t row = 0; row < w->batch; row++)
        for (int64_t k = w->rows->start[row]; k < w->rows->middle[row]; k++)
            w->fired[w->rows->index[k]]++;
}

void encode(const struct training *training, struct workspace *workspace, const float *x)
{
    const struct architecture *architecture = training->recipe.architecture;
    double since = omp_get_wtime();

    centre(training, workspace, x);
    architecture->prepare(training, workspace);
    part_done(workspace->spent, PART_ENCODE, 1, since);
    encode_own(training, workspace);
    since = omp_get_wtime();
    if (architecture->select != NULL)
        architecture->select(training, workspace, workspace->own);
    since = part_done(workspace->spent, PART_SCAN, 1, since);
    if (workspace->ranks > 1)
        gather(training, workspace);
    since = part_done(workspace->spent, PART_EXCHANGE, 1, since);
    if (architecture->select != NULL && workspace->ranks > 1)
        architecture->select(training, workspace, workspace->rows);
    cut_groups(training, workspace);
    count_fired(training, workspace);
    part_done(workspace->spent, PART_SCAN, 1, since);
}
