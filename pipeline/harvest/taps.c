#include "harvest/taps.h"
#include "base/allocate.h"
#include "base/phase.h"
#include "kernels/bf16.h"
#include "shard/store.h"

#include <stdlib.h>
#include <string.h>

/* --- memory -------------------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const struct stream *x = a, *y = b;
    const int64_t p = site_tap_step(x->tap), q = site_tap_step(y->tap);

    return (p > q) - (p < q);
}

void taps_list(struct taps *taps, const struct tap *list, int count,
               const struct lm_config *config, enum store store)
{
    *taps = (struct taps){ .streams = allocate(count, sizeof *taps->streams), .count = count };
    for (int t = 0; t < count; t++)
        taps->streams[t] = (struct stream){ list[t], lm_site_width(config, list[t].site), store };
    qsort(taps->streams, (size_t)count, sizeof *taps->streams, by_step);
}

int64_t taps_bytes(const struct taps *taps, const struct lm_config *config,
                   enum precision precision, int64_t block, int64_t context, int rank, int size,
                   int threads)
{
    return forward_bytes(config, precision, block, context, threads)
         + spool_bytes(taps->streams, taps->count, block * context, rank, size)
         + block * context * (int64_t)sizeof *taps->kept;
}

void taps_make(struct taps *taps, MPI_Comm comm, const struct weights *weights,
               struct special_tokens special, int64_t block, int64_t context)
{
    taps->special = special;
    forward_make(&taps->forward, weights, block, context);
    spool_make(&taps->spool, comm, taps->streams, taps->count, block * context);
    taps->kept = allocate(block * context, sizeof *taps->kept);
}

void taps_free(struct taps *taps)
{
    spool_free(&taps->spool);
    forward_free(&taps->forward);
    free(taps->kept);
    free(taps->streams);
    *taps = (struct taps){0};
}

/* --- a block ------------------------------------------------------------------------- */

/* Copy the stored rows of the site where the cursor stands.
 *   values [count, width]  out, in the stream's store
 *   kept   [count]         in: which rows of the block are stored */
static void store_rows(void *values, struct stream stream, const struct forward *forward,
                       const int32_t *kept, int64_t count)
{
    const int64_t width = stream.width;

    #pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        const float *from = forward->values + kept[i] * width;
        if (stream.store == STORE_BF16)
            bf16_from_float((uint16_t *)values + i * width, from, width);
        else
            memcpy((float *)values + i * width, from, (size_t)width * sizeof *from);
    }
}

/* Note where the stored rows of sequence `s` come from, and which rows of the block they are. */
static int64_t keep_rows(const struct taps *taps, struct fed block, int64_t s,
                         struct row_origin *origins, int32_t *kept)
{
    const int64_t context = taps->forward.context;
    const struct sequence_origin from = block.origins[s];
    const int32_t *ids = block.ids + s * context;
    int64_t count = 0;

    for (int64_t i = 0; i < context; i++)
        if (tokens_is_text(taps->special, ids[i])) {
            origins[count] = (struct row_origin){ from.document, (int32_t)(from.start + i - 1),
                                                  ids[i] };
            kept[count++] = (int32_t)(s * context + i);
        }
    return count;
}

enum status taps_start(struct taps *taps, struct fed block)
{
    if (block.count == 0)
        return OK;
    tokens_seen(taps->kept, block.ids, block.count * taps->forward.context);
    return forward_start(&taps->forward, taps->kept, block.count);
}

void taps_run(struct taps *taps, struct fed block, struct range rows, int64_t end)
{
    struct row_origin *origins = spool_origins(&taps->spool);
    int64_t count = 0;

    for (int64_t s = 0; s < block.count; s++)
        count += keep_rows(taps, block, s, origins + count, taps->kept + count);
    spool_round(&taps->spool, rows, end);
    for (int t = 0; t < taps->count; t++) {
        if (block.count > 0)
            forward_to(&taps->forward, taps->streams[t].tap);
        phase_enter(PHASE_NONE);
        void *values = spool_values(&taps->spool, t);
        phase_enter(PHASE_COMPUTE);
        store_rows(values, taps->streams[t], &taps->forward, taps->kept, count);
        spool_give(&taps->spool, t);
    }
}
