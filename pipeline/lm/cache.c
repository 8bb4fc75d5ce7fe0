#include "lm/cache.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/attention_kept.h"
#include "kernels/narrow.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>

/* Keys of a sequence in one layer; as many values. */
static int64_t kept_count(const struct lm_config *c, int64_t capacity)
{
    return (int64_t)c->kv_heads * c->head_width * capacity;
}

/* Numbers of the widest input of a product. */
static int64_t packed_count(const struct lm_config *c, int64_t rows)
{
    const int64_t inner = max_int64((int64_t)c->heads * c->head_width, c->mlp_width);

    return narrow_count(rows, max_int64(c->width, inner));
}

int64_t cache_bytes(const struct lm_config *c, int64_t sequences, int64_t capacity, int64_t rows,
                    int threads)
{
    const int64_t floats = 2 * c->layers * sequences * kept_count(c, capacity)
                         + packed_count(c, rows) + threads * capacity
                         + 2 * rows * (c->head_width / 2);

    return floats * (int64_t)sizeof(float) + (sequences + 2 * rows) * (int64_t)sizeof(int64_t);
}

void cache_make(struct cache *cache, const struct lm_config *c, int64_t sequences,
                int64_t capacity, int64_t rows)
{
    const int64_t kept = kept_count(c, capacity), angles = rows * (c->head_width / 2);

    *cache = (struct cache){
        .sequences = sequences,
        .capacity = capacity,
        .rows = rows,
        .tokens = allocate(sequences, sizeof(int64_t)),
        .sequence = allocate(rows, sizeof(int64_t)),
        .position = allocate(rows, sizeof(int64_t)),
        .keys = allocate_big(c->layers * sequences * kept, sizeof(float)),
        .values = allocate_big(c->layers * sequences * kept, sizeof(float)),
        .kept = kept,
        .packed = allocate_big(packed_count(c, rows), sizeof(float)),
        .scores = allocate(omp_get_max_threads() * capacity, sizeof(float)),
        .cosine = allocate(angles, sizeof(float)),
        .sine = allocate(angles, sizeof(float)),
    };
    for (int64_t r = 0; r < rows; r++)
        cache->sequence[r] = r;
}

void cache_free(struct cache *cache)
{
    free(cache->tokens);
    free(cache->sequence);
    free(cache->position);
    free(cache->keys);
    free(cache->values);
    free(cache->packed);
    free(cache->scores);
    free(cache->cosine);
    free(cache->sine);
    *cache = (struct cache){0};
}

void cache_advance(struct cache *cache, int64_t rows)
{
    assert(rows <= cache->rows);
    for (int64_t r = 0; r < rows; r++) {
        assert(cache->sequence[r] < cache->sequences);
        cache->position[r] = cache->tokens[cache->sequence[r]]++;
        assert(cache->position[r] < cache->capacity);
    }
}

/* What is kept of the sequence of a row. */
static struct attention_kept kept_of(const struct cache *cache, int layer, int64_t row)
{
    const int64_t at = (layer * cache->sequences + cache->sequence[row]) * cache->kept;

    return (struct attention_kept){ cache->keys + at, cache->values + at, cache->capacity };
}

/* A row may see the tokens of others, so all are kept first. */
void cache_attend(struct cache *cache, float *heads, const float *qkv, int64_t rows, int layer,
                  const struct attention *shape)
{
    const int64_t in = attention_stride(shape), out = attention_out_stride(shape);

    #pragma omp parallel
    {
        float *scores = cache->scores + omp_get_thread_num() * cache->capacity;

        #pragma omp for
        for (int64_t r = 0; r < rows; r++)
            attention_kept_add(kept_of(cache, layer, r), qkv + r * in, cache->position[r], shape);
        #pragma omp for collapse(2) schedule(dynamic)
        for (int64_t r = 0; r < rows; r++)
            for (int32_t kv = 0; kv < shape->kv_heads; kv++)
                attention_kept_attend(heads + r * out, qkv + r * in, scores,
                                      kept_of(cache, layer, r), cache->position[r], kv, shape);
    }
}
