#include "sae/workspace.h"
#include "kernels/sparse.h"

#include <omp.h>
#include <stdlib.h>

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The sizes of everything, for the rank that gets most. */
struct sizes {
    int64_t row_blocks, column_blocks, tiles;   /* in all */
    int64_t own_column_blocks, own_tiles;
    int64_t own_columns, own_latents;           /* with the last block and tile full */
    int64_t entries, own_entries;               /* the worst case */
    int64_t scratch;                            /* floats a thread */
};

static struct sizes find_sizes(int64_t batch, int32_t inputs, int32_t latents, int ranks)
{
    struct sizes s = {
        .row_blocks = split_blocks(batch, ROW_BLOCK),
        .column_blocks = split_blocks(inputs, COLUMNS),
        .tiles = split_blocks(latents, LATENT_TILE),
        .entries = batch * latents,
    };
    s.own_column_blocks = split_blocks(s.column_blocks, ranks);
    s.own_tiles = split_blocks(s.tiles, ranks);
    s.own_columns = s.own_column_blocks * COLUMNS;
    s.own_latents = s.own_tiles * LATENT_TILE;
    s.own_entries = batch * (s.own_latents < latents ? s.own_latents : latents);
    s.scratch = most((int64_t)ROW_BLOCK * LATENT_TILE,
                     most((int64_t)ROW_BLOCK * latents, LATENT_TILE * (batch + inputs)));
    return s;
}

/* `count` lists of so many groups, all in one piece of memory, which the first one holds.
 * Where the entries of the others begin is found when they are filled. */
static struct codes *make_lists(int64_t count, int64_t groups, int64_t entries)
{
    struct codes *lists = allocate(count, sizeof *lists);

    lists[0] = (struct codes){
        .start = allocate(count * (groups + 1), sizeof(int64_t)),
        .middle = allocate(count * groups, sizeof(int64_t)),
        .index = allocate(entries, sizeof(int32_t)),
        .value = allocate(entries, sizeof(float)),
    };
    for (int64_t i = 0; i < count; i++) {
        lists[i] = lists[0];
        lists[i].groups = groups;
        lists[i].start += i * (groups + 1);
        lists[i].middle += i * groups;
    }
    return lists;
}

static int64_t lists_bytes(int64_t count, int64_t groups, int64_t entries)
{
    return count * (2 * groups + 1) * (int64_t)sizeof(int64_t)
           + entries * (int64_t)(sizeof(int32_t) + sizeof(float));
}

static void free_lists(struct codes *lists)
{
    if (lists == NULL)
        return;
    free(lists->start);
    free(lists->middle);
    free(lists->index);
    free(lists->value);
    free(lists);
}

void workspace_make(struct workspace *workspace, MPI_Comm comm, int64_t batch, int32_t inputs,
                    int32_t latents)
{
    struct workspace *w = workspace;
    int ranks;

    MPI_Comm_size(comm, &ranks);
    const struct sizes s = find_sizes(batch, inputs, latents, ranks);
    *w = (struct workspace){
        .batch = batch,
        .inputs = inputs,
        .latents = latents,
        .ranks = ranks,
        .threads = omp_get_max_threads(),
        .centred = allocate(batch * inputs, sizeof(float)),
        .residual = allocate(batch * s.own_columns, sizeof(float)),
        .threshold = allocate(s.own_latents, sizeof(float)),
        .pieces = make_lists(s.row_blocks * s.own_tiles, ROW_BLOCK, s.own_entries),
        .own = make_lists(1, batch, s.own_entries),
        .columns = make_lists(1, latents, s.entries),
        .dots = allocate(s.entries, sizeof(float)),
        .gradient = allocate(s.entries, sizeof(float)),
        .along = allocate(latents, sizeof(double)),
        .norms = allocate(latents, sizeof(double)),
        .block_norms = allocate(s.own_column_blocks * latents, sizeof(double)),
        .bias_gradient = allocate(s.own_latents, sizeof(float)),
        .threshold_gradient = allocate(s.own_latents, sizeof(float)),
        .decoder_bias_gradient = allocate(inputs, sizeof(float)),
        .tile_sums = allocate(s.own_tiles * inputs, sizeof(double)),
        .encoder_sums = allocate(inputs, sizeof(double)),
        .squares = allocate(s.own_column_blocks * s.row_blocks, sizeof(double)),
        .sums = allocate(inputs + s.column_blocks + s.tiles, sizeof(double)),
        .scratch = allocate(omp_get_max_threads(), sizeof(float *)),
    };
    w->rows = w->own;
    if (ranks > 1) {
        w->gathered = make_lists(ranks, batch, s.entries);
        w->lengths = allocate(ranks * 2 * batch, sizeof(int32_t));
        w->rows = make_lists(1, batch, s.entries);
    }
    for (int i = 0; i < w->threads; i++)
        w->scratch[i] = allocate(s.scratch, sizeof(float));
}

void workspace_free(struct workspace *workspace)
{
    struct workspace *w = workspace;

    for (int i = 0; i < w->threads; i++)
        free(w->scratch[i]);
    free(w->scratch);
    free(w->sums);
    free(w->squares);
    free(w->encoder_sums);
    free(w->tile_sums);
    free(w->decoder_bias_gradient);
    free(w->threshold_gradient);
    free(w->bias_gradient);
    free(w->block_norms);
    free(w->norms);
    free(w->along);
    free(w->gradient);
    free(w->dots);
    free_lists(w->columns);
    if (w->rows != w->own)
        free_lists(w->rows);
    free_lists(w->own);
    free(w->lengths);
    free_lists(w->gathered);
    free_lists(w->pieces);
    free(w->threshold);
    free(w->residual);
    free(w->centred);
    *w = (struct workspace){0};
}

int64_t workspace_bytes(int64_t batch, int32_t inputs, int32_t latents, int ranks, int threads)
{
    const struct sizes s = find_sizes(batch, inputs, latents, ranks);
    int64_t floats = batch * (inputs + s.own_columns) + 2 * s.entries + 3 * s.own_latents + inputs
                     + threads * s.scratch;
    int64_t doubles = 2 * latents + s.own_column_blocks * latents + s.own_tiles * inputs
                      + s.own_column_blocks * s.row_blocks + 2 * inputs + s.column_blocks + s.tiles;
    int64_t lists = lists_bytes(s.row_blocks * s.own_tiles, ROW_BLOCK, s.own_entries)
                    + lists_bytes(1, batch, s.own_entries) + lists_bytes(1, latents, s.entries);

    if (ranks > 1)
        lists += lists_bytes(ranks, batch, s.entries) + lists_bytes(1, batch, s.entries)
                 + ranks * 2 * batch * (int64_t)sizeof(int32_t);
    return floats * (int64_t)sizeof(float) + doubles * (int64_t)sizeof(double) + lists;
}
