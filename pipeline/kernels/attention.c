#include "kernels/attention.h"
#include "kernels/clones.h"
#include "kernels/gemm.h"
#include "kernels/vectors.h"

#include <math.h>
#include <omp.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t attention_scratch(int64_t context, int threads)
{
    return threads * ATTENTION_STRIP * context;
}

/* Scores become weights e^(score - largest) that are still to be divided by their sum, which
 * is returned.  Keys outside [first, end) get 0.  A largest score that is NaN or infinite
 * makes NaN of the row. */
CLONES static float weigh_keys(float *restrict score, int64_t first, int64_t end, int64_t keys,
                                float scale, float cap)
{
    float largest = -INFINITY, sum = 0;

    if (cap > 0) {
        #pragma omp simd
        for (int64_t j = first; j < end; j++)
            score[j] = cap * vector_tanh(score[j] * scale / cap);
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

CLONES static void scale_row(float *x, int32_t width, float factor)
{
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        x[i] *= factor;
}

/* Queries [from, from + ATTENTION_STRIP) of one head of one sequence. */
static void attend_strip(float *out, int64_t out_stride, const float *q, const float *k,
                         const float *v, int64_t stride, float *score, int64_t from,
                         const struct attention *a)
{
    const int64_t queries = least(ATTENTION_STRIP, a->context - from);
    const int64_t oldest = a->window > 0 && from >= a->window ? from - a->window + 1 : 0;
    const int64_t keys = from + queries - oldest;
    float sum[ATTENTION_STRIP];

    gemm_nt(score, keys, q + from * stride, stride, k + oldest * stride, stride,
            queries, keys, a->head_width, false);
    for (int64_t i = 0; i < queries; i++) {
        const int64_t at = from + i - oldest;
        const int64_t first = a->window > 0 && at >= a->window ? at - a->window + 1 : 0;
        sum[i] = weigh_keys(score + i * keys, first, at + 1, keys, a->scale, a->cap);
    }
    gemm_nn(out + from * out_stride, out_stride, score, keys, v + oldest * stride, stride,
            queries, a->head_width, keys, false);
    for (int64_t i = 0; i < queries; i++)
        scale_row(out + (from + i) * out_stride, a->head_width, 1 / sum[i]);
}

void attention(float *out, const float *qkv, float *scratch, const struct attention *a)
{
    const int64_t stride = (int64_t)(a->heads + 2 * a->kv_heads) * a->head_width;
    const int64_t out_stride = (int64_t)a->heads * a->head_width;
    const int64_t strips = (a->context + ATTENTION_STRIP - 1) / ATTENTION_STRIP;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t piece = 0; piece < a->sequences * a->heads * strips; piece++) {
        const int64_t strip = piece % strips, head = piece / strips % a->heads;
        const int64_t row = piece / strips / a->heads * a->context;
        const int64_t kv = head / (a->heads / a->kv_heads);
        const float *q = qkv + row * stride;
        attend_strip(out + row * out_stride + head * a->head_width, out_stride,
                     q + head * a->head_width, q + (a->heads + kv) * a->head_width,
                     q + (a->heads + a->kv_heads + kv) * a->head_width, stride,
                     scratch + attention_scratch(a->context, omp_get_thread_num()),
                     strip * ATTENTION_STRIP, a);
    }
}
