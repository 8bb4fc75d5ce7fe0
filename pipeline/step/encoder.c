#include "step/encoder.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <math.h>
#include <stdlib.h>

/* Blocks of ENCODE_ROWS whose input is there at a time. */
static int64_t blocks_at_once(const struct step_sizes *sizes)
{
    return min_int64(split_blocks(sizes->needs.batch, ENCODE_ROWS),
                     encode_rows(sizes->needs.precision) / ENCODE_ROWS);
}

/* `count` lists of so many groups, without memory for entries.  The first one holds the memory of
 * all. */
static struct codes *make_lists(int64_t count, int64_t groups)
{
    struct codes *lists = allocate(count, sizeof *lists);
    int32_t *start = allocate(count * (groups + 1), sizeof *start);
    int32_t *middle = allocate(count * groups, sizeof *middle);

    for (int64_t i = 0; i < count; i++)
        lists[i] = (struct codes){ .groups = groups, .start = start + i * (groups + 1),
                                   .middle = middle + i * groups };
    return lists;
}

static void free_lists(struct codes *lists)
{
    if (lists == NULL)
        return;
    free(lists->start);
    free(lists->middle);
    free(lists);
}

static void make_for_ranks(struct encoder *encoder, const struct step_sizes *sizes)
{
    const int64_t batch = sizes->needs.batch;

    lists_make_codes(&encoder->own, batch, sizes->own_entries);
    encoder->gathered = make_lists(sizes->ranks, batch);
    encoder->gathered->index = allocate(sizes->entries, sizeof(int32_t));
    encoder->gathered->value = allocate(sizes->entries, sizeof(float));
    for (int r = 1; r < sizes->ranks; r++) {
        encoder->gathered[r].index = encoder->gathered->index;
        encoder->gathered[r].value = encoder->gathered->value;
    }
    encoder->lengths = allocate(sizes->ranks * 2 * batch, sizeof(int32_t));
}

void encoder_make(struct encoder *encoder, const struct step_sizes *sizes)
{
    const struct step_needs *needs = &sizes->needs;

    *encoder = (struct encoder){
        .threads = sizes->threads,
        .ranks = sizes->ranks,
        .products = allocate(sizes->threads, sizeof(struct product *)),
        .pieces = make_lists(blocks_at_once(sizes) * sizes->own_tiles, ENCODE_ROWS),
        .found = { .index = allocate(sizes->own_entries, sizeof(int32_t)),
                   .value = allocate(sizes->own_entries, sizeof(float)) },
        .active = allocate(needs->batch, sizeof(struct cut)),
        .auxiliary = allocate(needs->batch, sizeof(struct cut)),
    };
    if (needs->precision == PRECISION_BF16)
        for (int i = 0; i < sizes->threads; i++)
            encoder->products[i] = product_make(ENCODE_ROWS, LATENT_TILE, needs->shape.inputs,
                                                false);
    if (sizes->ranks > 1)
        make_for_ranks(encoder, sizes);
}

void encoder_free(struct encoder *encoder)
{
    if (encoder->gathered != NULL) {
        free(encoder->gathered->index);
        free(encoder->gathered->value);
    }
    free_lists(encoder->gathered);
    free(encoder->lengths);
    lists_free_codes(&encoder->own);
    free(encoder->auxiliary);
    free(encoder->active);
    free(encoder->found.index);
    free(encoder->found.value);
    free_lists(encoder->pieces);
    for (int i = 0; i < encoder->threads; i++)
        product_free(encoder->products[i]);
    free(encoder->products);
    *encoder = (struct encoder){0};
}

/* Ranks gather all that they find, since only then it is known what stays. */
int64_t encoder_bytes(const struct step_sizes *sizes)
{
    const struct step_needs *needs = &sizes->needs;
    const int64_t batch = needs->batch, blocks = blocks_at_once(sizes);
    const double own = needs->found * sizes->own_share;
    const double share = fmin(1, (double)(blocks * ENCODE_ROWS) / (double)batch);
    const int64_t bytes = blocks * sizes->own_tiles * step_starts_bytes(ENCODE_ROWS)
                          + step_entries_bytes(own * share)
                          + 2 * batch * (int64_t)sizeof(struct cut);

    if (sizes->ranks == 1)
        return bytes;
    return bytes + step_starts_bytes(batch) + step_entries_bytes(own)
           + sizes->ranks * step_starts_bytes(batch) + step_entries_bytes(needs->found)
           + sizes->ranks * 2 * batch * (int64_t)sizeof(int32_t);
}
