#include "lm/head.h"
#include "base/allocate.h"
#include "kernels/entropy.h"
#include "kernels/gemm.h"
#include "kernels/narrow.h"
#include "kernels/norm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A tile's logits take 32 MB at most, unless a vocabulary is so large that a product of
 * TILE_LEAST rows takes more. */
enum { TILE_FLOATS = 1 << 23, TILE_LEAST = 64, TILE_MOST = 512 };

int64_t head_tile(const struct lm_config *config)
{
    const int64_t rows = TILE_FLOATS / config->outputs;

    return rows < TILE_LEAST ? TILE_LEAST : rows > TILE_MOST ? TILE_MOST : rows;
}

int64_t head_bytes(const struct lm_config *config)
{
    return head_tile(config) * (config->width + 2 * (int64_t)config->outputs + 2)
           * (int64_t)sizeof(float);
}

void head_make(struct head *head, const struct weights *weights)
{
    const struct lm_config *c = &weights->config;
    const int64_t tile = head_tile(c);

    *head = (struct head){
        .weights = weights,
        .tile = tile,
        .normed = allocate(tile * c->width, sizeof(float)),
        .first = allocate(tile * c->outputs, sizeof(float)),
        .other = allocate(tile * c->outputs, sizeof(float)),
        .first_sum = allocate(tile, sizeof(float)),
        .other_sum = allocate(tile, sizeof(float)),
    };
}

void head_free(struct head *head)
{
    free(head->normed);
    free(head->first);
    free(head->other);
    free(head->first_sum);
    free(head->other_sum);
    *head = (struct head){0};
}

double head_work(const struct lm_config *config)
{
    return 2.0 * config->width * config->outputs;
}

/* Logits of rows that are normalised. */
static void unembed(struct head *head, float *logits, int64_t rows)
{
    const struct weights *w = head->weights;
    const struct lm_config *c = &w->config;

    gemm_nt(logits, c->outputs, head->normed, c->width, w->unembedding, c->width, rows,
            c->outputs, c->width, false);
    entropy_soft_cap(logits, rows, c->outputs, c->logit_cap);
}

void head_logits(struct head *head, float *logits, const float *stream, int64_t rows)
{
    const struct weights *w = head->weights;

    assert(rows <= head->tile);
    weights_normalise(head->normed, stream, w->final_norm, &w->config, rows);
    unembed(head, logits, rows);
}

void head_logits_few(struct head *head, float *logits, const float *stream, int64_t rows,
                     float *packed)
{
    const struct weights *w = head->weights;
    const struct lm_config *c = &w->config;

    assert(rows <= head->tile);
    weights_normalise(head->normed, stream, w->final_norm, c, rows);
    narrow_pack(packed, head->normed, rows, c->width);
    narrow_apply(logits, c->outputs, packed, w->unembedding, rows, c->outputs, c->width);
    entropy_soft_cap(logits, rows, c->outputs, c->logit_cap);
}

/* Go back through the soft-cap.  Returns the gradient by the logits before it. */
static const float *back_cap(struct head *head, const float *by_logits, const float *stream,
                             const int64_t *chosen, int64_t count)
{
    const struct weights *w = head->weights;
    const struct lm_config *c = &w->config;

    if (c->logit_cap == 0)
        return by_logits;
    for (int64_t i = 0; i < count; i++)
        weights_normalise(head->normed + i * c->width, stream + chosen[i] * c->width,
                          w->final_norm, c, 1);
    unembed(head, head->first, count);
    memcpy(head->other, by_logits, (size_t)(count * c->outputs) * sizeof *by_logits);
    entropy_soft_cap_back(head->other, head->first, count, c->outputs, c->logit_cap);
    return head->other;
}

static void back_tile(struct head *head, float *gradient, const float *by_logits,
                      const float *stream, const int64_t *chosen, int64_t count)
{
    const struct weights *w = head->weights;
    const struct lm_config *c = &w->config;
    const float *before_cap = back_cap(head, by_logits, stream, chosen, count);

    gemm_nn(head->normed, c->width, before_cap, c->outputs, w->unembedding, c->width, count,
            c->width, c->outputs, false);
    for (int64_t i = 0; i < count; i++)
        weights_normalise_back(gradient + chosen[i] * c->width, head->normed + i * c->width,
                               stream + chosen[i] * c->width, w->final_norm, c, 1);
}

void head_back(struct head *head, float *gradient, const float *by_logits, const float *stream,
               int64_t rows, const int64_t *chosen, int64_t count)
{
    const struct lm_config *c = &head->weights->config;

    memset(gradient, 0, (size_t)(rows * c->width) * sizeof *gradient);
    for (int64_t from = 0; from < count; from += head->tile)
        back_tile(head, gradient, by_logits + from * c->outputs, stream, chosen + from,
                  count - from < head->tile ? count - from : head->tile);
}

static void score_tile(struct head *head, const struct head_task *tasks, int count,
                       const int32_t *next, int64_t from, int64_t rows)
{
    const struct lm_config *c = &head->weights->config;

    for (int i = 0; i < count; i++) {
        const struct head_task *task = &tasks[i];
        float *logits = i == 0 ? head->first : head->other;
        float *sums = i == 0 ? head->first_sum : head->other_sum;
        head_logits(head, logits, task->stream + from * c->width, rows);
        entropy_log_sums(sums, logits, rows, c->outputs);
        for (int64_t r = 0; r < rows; r++) {
            const int32_t id = next[from + r];
            task->loss[from + r] = id < 0 ? 0 : sums[r] - logits[r * c->outputs + id];
        }
        if (task->kl != NULL)
            entropy_divergences(task->kl + from, head->first, head->first_sum, logits, sums, rows,
                                c->outputs);
    }
}

void head_score(struct head *head, const struct head_task *tasks, int count,
                const int32_t *next, int64_t rows)
{
    for (int64_t from = 0; from < rows; from += head->tile)
        score_tile(head, tasks, count, next, from,
                   rows - from < head->tile ? rows - from : head->tile);
}

void head_next(int32_t *next, const int32_t *ids, int64_t sequences, int64_t context)
{
    for (int64_t i = 0; i < sequences * context; i++)
        next[i] = (i + 1) % context == 0 ? -1 : ids[i + 1];
}
