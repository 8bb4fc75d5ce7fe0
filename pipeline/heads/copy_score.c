#include "heads/copy_score.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "heads/effective.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"

#include <stdlib.h>

/* The layer whose norm stands for those of all heads. */
enum { NORM_LAYER = 1 };

int64_t copy_score_bytes(const struct lm_config *c, int64_t rows)
{
    return rows * (2 * (int64_t)c->width + c->head_width) * (int64_t)sizeof(float)
         + 2 * head_bytes(c);
}

void copy_score_make(struct copy_score *s, const struct weights *weights, int64_t rows)
{
    const struct lm_config *c = &weights->config;

    *s = (struct copy_score){
        .weights = weights,
        .rows = rows,
        .normed = allocate(rows * c->width, sizeof(float)),
        .value = allocate(rows * c->head_width, sizeof(float)),
        .written = allocate(rows * c->width, sizeof(float)),
    };
    head_make(&s->head, weights);
    s->logits = allocate(s->head.tile * c->outputs, sizeof(float));
}

void copy_score_free(struct copy_score *s)
{
    head_free(&s->head);
    free(s->normed);
    free(s->value);
    free(s->written);
    free(s->logits);
    *s = (struct copy_score){0};
}

bool copy_score_exists(const struct lm_config *config)
{
    return config->layers > NORM_LAYER;
}

void copy_score_read(struct copy_score *s, const float *stream, int64_t rows)
{
    weights_normalise(s->normed, stream, s->weights->layers[NORM_LAYER].attn_norm,
                      &s->weights->config, rows);
}

/* What the head writes of all that it has read. */
static void write_values(struct copy_score *s, int64_t rows, int layer, int head)
{
    const struct lm_config *c = &s->weights->config;
    const struct layer_weights *w = &s->weights->layers[layer];
    const struct effective_head parts = effective_head(s->weights, layer, head);
    const int64_t e = c->head_width, kv = head / (c->heads / c->kv_heads);

    gemm_nt(s->value, e, s->normed, c->width, parts.value, c->width, rows, e, c->width, false);
    for (int64_t r = 0; w->qkv_bias != NULL && r < rows; r++)
        norm_add_rows(s->value + r * e, w->qkv_bias + (c->heads + c->kv_heads + kv) * e, e);
    effective_write(s->written, &parts, c, s->value, e, rows);
}

static bool is_among_top(const float *logits, int32_t outputs, int32_t id)
{
    int32_t larger = 0;

    for (int32_t i = 0; i < outputs; i++)
        larger += logits[i] > logits[id];
    return larger < COPY_SCORE_TOP;
}

static void find_top(struct copy_score *s, bool *top, const int32_t *ids, int64_t rows)
{
    const struct lm_config *c = &s->weights->config;

    for (int64_t from = 0; from < rows; from += s->head.tile) {
        const int64_t count = min_int64(s->head.tile, rows - from);
        head_logits(&s->head, s->logits, s->written + from * c->width, count);
        #pragma omp parallel for
        for (int64_t r = 0; r < count; r++)
            top[from + r] = is_among_top(s->logits + r * c->outputs, c->outputs, ids[from + r]);
    }
}

void copy_score_find(struct copy_score *s, bool *copied, bool *negative, const int32_t *ids,
                     int64_t rows, int layer, int head)
{
    const int64_t width = s->weights->config.width;

    write_values(s, rows, layer, head);
    find_top(s, copied, ids, rows);
    for (int64_t i = 0; i < rows * width; i++)
        s->written[i] = -s->written[i];
    find_top(s, negative, ids, rows);
}
