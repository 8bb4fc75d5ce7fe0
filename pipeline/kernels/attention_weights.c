#include "kernels/attention_weights.h"

#include <math.h>

static float score(const struct attention *a, const float *query, const float *key)
{
    float dot = 0;

    for (int32_t i = 0; i < a->head_width; i++)
        dot += query[i] * key[i];
    dot *= a->scale;
    return a->cap > 0 ? a->cap * tanhf(dot / a->cap) : dot;
}

void attention_weights(float *weights, const float *qkv, const struct attention *a,
                       int64_t sequence, int64_t token, int32_t head)
{
    const int64_t stride = (int64_t)(a->heads + 2 * a->kv_heads) * a->head_width;
    const float *row = qkv + sequence * a->context * stride;
    const float *query = row + token * stride + (int64_t)head * a->head_width;
    const int32_t kv_head = head / (a->heads / a->kv_heads);
    const float *key = row + (int64_t)(a->heads + kv_head) * a->head_width;
    const int64_t first = a->window > 0 && token >= a->window ? token - a->window + 1 : 0;
    float largest = -INFINITY, sum = 0;

    for (int64_t t = first; t <= token; t++) {
        weights[t] = score(a, query, key + t * stride);
        largest = fmaxf(largest, weights[t]);
    }
    for (int64_t t = first; t <= token; t++) {
        weights[t] = expf(weights[t] - largest);
        sum += weights[t];
    }
    for (int64_t t = 0; t < a->context; t++)
        weights[t] = first <= t && t <= token ? weights[t] / sum : 0;
}
