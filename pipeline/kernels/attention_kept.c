#include "kernels/attention_kept.h"
#include "kernels/clones.h"
#include "kernels/strip.h"

#include <string.h>

void attention_kept_add(struct attention_kept kept, const float *qkv, int64_t position,
                        const struct attention *a)
{
    const int64_t width = (int64_t)a->kv_heads * a->head_width;
    const float *key = qkv + (int64_t)a->heads * a->head_width, *value = key + width;

    for (int64_t i = 0; i < width; i++)
        kept.keys[i * kept.capacity + position] = key[i];
    for (int64_t h = 0; h < a->kv_heads; h++)
        memcpy(kept.values + (h * kept.capacity + position) * a->head_width,
               value + h * a->head_width, (size_t)a->head_width * sizeof *value);
}

/* y = factor times the sum of weighted rows of a matrix, four at a time.
 *   y      [columns]         out
 *   weight [rows]            in
 *   x      [rows, columns]   in, rows ld values apart */
CLONES static void combine(float *restrict y, const float *restrict weight,
                           const float *restrict x, int64_t ld, int64_t rows, int64_t columns,
                           float factor)
{
    int64_t r = 0;

    memset(y, 0, (size_t)columns * sizeof *y);
    for (; r + 4 <= rows; r += 4) {
        const float *a = x + r * ld, *b = a + ld, *c = b + ld, *d = c + ld, *w = weight + r;
        #pragma omp simd
        for (int64_t j = 0; j < columns; j++)
            y[j] += w[0] * a[j] + w[1] * b[j] + w[2] * c[j] + w[3] * d[j];
    }
    for (; r < rows; r++)
        #pragma omp simd
        for (int64_t j = 0; j < columns; j++)
            y[j] += weight[r] * x[r * ld + j];
    #pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] *= factor;
}

/* A strip of one query. */
void attention_kept_attend(float *out, const float *qkv, float *scores, struct attention_kept kept,
                           int64_t position, int32_t kv, const struct attention *a)
{
    const int64_t width = a->head_width, capacity = kept.capacity;
    const int32_t group = a->heads / a->kv_heads;
    struct attention shape = *a;

    shape.context = position + 1;
    const struct strip s = strip_at(&shape, position, 1);
    const float *keys = kept.keys + kv * width * capacity + s.oldest;
    const float *values = kept.values + (kv * capacity + s.oldest) * width;
    for (int32_t h = kv * group; h < (kv + 1) * group; h++) {
        float sum;
        combine(scores, qkv + h * width, keys, capacity, width, s.keys, 1);
        strip_weigh(&sum, scores, s, &shape);
        combine(out + h * width, scores, values, width, s.keys, width, 1 / sum);
    }
}
