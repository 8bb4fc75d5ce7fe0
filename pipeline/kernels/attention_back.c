#include "kernels/attention_back.h"
#include "kernels/clones.h"
#include "kernels/gemm.h"
#include "kernels/strip.h"
#include "kernels/vectors.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

/* --- scratch ------------------------------------------------------------------------- */

/* The scratch of one thread; each [ATTENTION_STRIP, context]. */
struct own_scratch {
    float *weight;  /* of a key for a query; scores before */
    float *back;    /* gradient at q . k; at the weights before */
    float *slope;   /* derivative of the score by q . k */
};

static int64_t own_floats(const struct attention *a)
{
    return ATTENTION_STRIP * a->context;
}

int64_t attention_back_scratch(const struct attention *a, int threads)
{
    return threads * 3 * own_floats(a) * (int64_t)sizeof(float);
}

static struct own_scratch own_at(void *scratch, const struct attention *a)
{
    float *first = (float *)scratch + omp_get_thread_num() * 3 * own_floats(a);

    return (struct own_scratch){ first, first + own_floats(a), first + 2 * own_floats(a) };
}

/* --- a strip of queries -------------------------------------------------------------- */

/* The slopes of scores that are not yet scaled and capped. */
CLONES static void find_slopes(float *restrict slope, const float *restrict score, int64_t n,
                               float scale, float cap)
{
    if (cap > 0) {
        #pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            const float t = vector_tanh(score[j] * (scale / cap));
            slope[j] = scale * (1 - t * t);
        }
    } else {
        #pragma omp simd
        for (int64_t j = 0; j < n; j++)
            slope[j] = scale;
    }
}

/* From the gradients at the weights of one query to those at its q . k.  Its weights, whose sum is
 * `sum`, are divided by it. */
CLONES static void back_softmax(float *restrict back, float *restrict weight,
                                const float *restrict slope, float sum, int64_t keys)
{
    const float factor = 1 / sum;
    float mean = 0;

    #pragma omp simd reduction(+ : mean)
    for (int64_t j = 0; j < keys; j++) {
        weight[j] *= factor;
        mean += weight[j] * back[j];
    }
    #pragma omp simd
    for (int64_t j = 0; j < keys; j++)
        back[j] = weight[j] * (back[j] - mean) * slope[j];
}

/* Pointers to the first token of one head of one sequence: what attention read, and the gradients
 * of it and of the output. */
struct head {
    const float *queries, *keys, *values;
    float       *queries_back, *keys_back, *values_back;
    const float *gradient;
};

/* Go back through one strip of a head: set the gradients of its queries, and add to those of its
 * keys and values. */
static void back_strip(struct head h, struct own_scratch own, int64_t from,
                       const struct attention *a)
{
    const struct strip s = strip_at(a, from, 1);
    const int64_t stride = attention_stride(a), out_stride = attention_out_stride(a);
    const int64_t query = from * stride, key = s.oldest * stride;
    const int32_t width = a->head_width;
    const float *gradient = h.gradient + from * out_stride;
    float sum[ATTENTION_STRIP];

    gemm_nt(own.weight, s.keys, h.queries + query, stride, h.keys + key, stride, s.queries, s.keys,
            width, false);
    find_slopes(own.slope, own.weight, s.queries * s.keys, a->scale, a->cap);
    strip_weigh(sum, own.weight, s, a);
    gemm_nt(own.back, s.keys, gradient, out_stride, h.values + key, stride, s.queries, s.keys,
            width, false);
    for (int64_t i = 0; i < s.queries; i++)
        back_softmax(own.back + i * s.keys, own.weight + i * s.keys, own.slope + i * s.keys,
                     sum[i], s.keys);
    gemm_nn(h.queries_back + query, stride, own.back, s.keys, h.keys + key, stride, s.queries,
            width, s.keys, false);
    gemm_tn(h.keys_back + key, stride, own.back, s.keys, h.queries + query, stride, s.keys, width,
            s.queries, true);
    gemm_tn(h.values_back + key, stride, own.weight, s.keys, gradient, out_stride, s.keys, width,
            s.queries, true);
}

/* --- all ----------------------------------------------------------------------------- */

static struct head head_at(float *back, const float *gradient, const float *qkv, int64_t sequence,
                           int64_t head, const struct attention *a)
{
    const int64_t kv = head / (a->heads / a->kv_heads), row = sequence * a->context;
    const int64_t first = row * attention_stride(a);
    const int64_t query = first + head * a->head_width;
    const int64_t key = first + (a->heads + kv) * a->head_width;
    const int64_t value = key + (int64_t)a->kv_heads * a->head_width;

    return (struct head){
        .queries = qkv + query,
        .keys = qkv + key,
        .values = qkv + value,
        .queries_back = back + query,
        .keys_back = back + key,
        .values_back = back + value,
        .gradient = gradient + row * attention_out_stride(a) + head * a->head_width,
    };
}

/* Set the gradients of a head's keys and values to 0. */
static void clear_keys(struct head h, const struct attention *a)
{
    const size_t bytes = (size_t)a->head_width * sizeof(float);

    for (int64_t i = 0; i < a->context; i++) {
        memset(h.keys_back + i * attention_stride(a), 0, bytes);
        memset(h.values_back + i * attention_stride(a), 0, bytes);
    }
}

void attention_back(float *back, const float *gradient, const float *qkv, void *scratch,
                    const struct attention *a)
{
    const int64_t group = a->heads / a->kv_heads;

    assert(a->precision == PRECISION_F32);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t item = 0; item < a->sequences * a->kv_heads; item++) {
        const struct own_scratch own = own_at(scratch, a);
        const int64_t sequence = item / a->kv_heads, first = item % a->kv_heads * group;

        clear_keys(head_at(back, gradient, qkv, sequence, first, a), a);
        for (int64_t head = first; head < first + group; head++)
            for (int64_t from = 0; from < a->context; from += ATTENTION_STRIP)
                back_strip(head_at(back, gradient, qkv, sequence, head, a), own, from, a);
    }
}
