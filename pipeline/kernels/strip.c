#include "kernels/strip.h"
#include "base/minmax.h"
#include "base/split.h"
#include "kernels/clones.h"
#include "kernels/vectors.h"

#include <math.h>

/* The first token that this one sees. */
static int64_t first_seen(const struct attention *a, int64_t token)
{
    return a->window > 0 && token >= a->window ? token - a->window + 1 : 0;
}

struct strip strip_at(const struct attention *a, int64_t from, int64_t step)
{
    const int64_t queries = min_int64(ATTENTION_STRIP, a->context - from);
    const int64_t oldest = first_seen(a, from) / step * step;

    return (struct strip){ from, queries, oldest,
                           split_blocks(from + queries - oldest, step) * step };
}

/* Turn the scores of one query into weights, and return their sum.  Keys outside [first, end) get
 * weight 0. */
CLONES static float weigh_keys(float *restrict score, int64_t first, int64_t end, int64_t keys,
                               float scale, float cap)
{
    float largest = -INFINITY, sum = 0;

    if (cap > 0) {
        const float inner = scale / cap;
        #pragma omp simd
        for (int64_t j = first; j < end; j++)
            score[j] = cap * vector_tanh(score[j] * inner);
    } else {
        #pragma omp simd
        for (int64_t j = first; j < end; j++)
            score[j] *= scale;
    }
    #pragma omp simd reduction(max : largest)
    for (int64_t j = first; j < end; j++)
        largest = score[j] > largest ? score[j] : largest;
    #pragma omp simd reduction(+ : sum)
    for (int64_t j = first; j < end; j++) {
        score[j] = vector_exp(score[j] - largest);
        sum += score[j];
    }
    for (int64_t j = 0; j < first; j++)
        score[j] = 0;
    for (int64_t j = end; j < keys; j++)
        score[j] = 0;
    return sum;
}

void strip_weigh(float *sum, float *score, struct strip s, const struct attention *a)
{
    for (int64_t i = 0; i < s.queries; i++) {
        const int64_t token = s.from + i;
        sum[i] = weigh_keys(score + i * s.keys, first_seen(a, token) - s.oldest,
                            token + 1 - s.oldest, s.keys, a->scale, a->cap);
    }
}
