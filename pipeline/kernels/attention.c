#include "kernels/attention.h"
#include "base/minmax.h"
#include "kernels/bf16.h"
#include "kernels/clones.h"
#include "kernels/dot.h"
#include "kernels/gemm.h"
#include "kernels/strip.h"

#include <omp.h>
#include <string.h>

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* --- shapes and scratch -------------------------------------------------------------- */

/* Keys of a sequence, and width of a head, rounded up to whole blocks of dot_product(). */
static int64_t padded_keys(const struct attention *a)
{
    return round_up(a->context, DOT_COLUMNS);
}

static int64_t padded_width(const struct attention *a)
{
    return round_up(a->head_width, DOT_COLUMNS);
}

static bool in_bf16(const struct attention *a)
{
    return a->precision == PRECISION_BF16 && a->head_width % 2 == 0 && dot_offered();
}

/* bf16 numbers of a head's packed keys and values. */
static int64_t packed_count(const struct attention *a)
{
    return padded_keys(a) * (a->head_width + padded_width(a));
}

/* The scratch of one thread. */
struct own_scratch {
    float    *score;    /* [ATTENTION_STRIP, keys] */
    float    *sums;     /* [ATTENTION_STRIP, padded_width()] weighted values; bf16 only, as below */
    uint16_t *weights;  /* [ATTENTION_STRIP, keys] */
    uint16_t *tokens;   /* [ATTENTION_STRIP, head_width] queries, keys or values */
};

static int64_t own_bytes(const struct attention *a)
{
    const int64_t each = padded_keys(a) * (int64_t)(sizeof(float) + sizeof(uint16_t))
                       + padded_width(a) * (int64_t)sizeof(float)
                       + a->head_width * (int64_t)sizeof(uint16_t);

    return ATTENTION_STRIP * each;
}

static struct own_scratch own_at(void *memory, const struct attention *a)
{
    struct own_scratch own = { .score = memory };

    own.sums = own.score + ATTENTION_STRIP * padded_keys(a);
    own.weights = (uint16_t *)(own.sums + ATTENTION_STRIP * padded_width(a));
    own.tokens = own.weights + ATTENTION_STRIP * padded_keys(a);
    return own;
}

/* Scratch holds the packed heads of all sequences, in bf16, and then each thread's own part. */
static int64_t packed_bytes(const struct attention *a)
{
    return in_bf16(a) ? a->sequences * a->kv_heads * packed_count(a) * (int64_t)sizeof(uint16_t)
                      : 0;
}

int64_t attention_scratch(const struct attention *a, int threads)
{
    return packed_bytes(a) + threads * own_bytes(a);
}

/* --- a head of a sequence ------------------------------------------------------------ */

CLONES static void scale_row(float *y, const float *x, int32_t width, float factor)
{
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        y[i] = x[i] * factor;
}

/* Pointers to the first token of one head of one sequence. */
struct head {
    float       *out;
    const float *queries, *keys, *values;
    uint16_t    *packed_keys, *packed_values;   /* in bf16 only */
};

static struct head head_at(float *out, const float *qkv, void *scratch, int64_t sequence,
                           int64_t head, const struct attention *a)
{
    const int64_t kv = head / (a->heads / a->kv_heads), row = sequence * a->context;
    const float *tokens = qkv + row * attention_stride(a);
    uint16_t *packed = (uint16_t *)scratch + (sequence * a->kv_heads + kv) * packed_count(a);

    return (struct head){
        .out = out + row * attention_out_stride(a) + head * a->head_width,
        .queries = tokens + head * a->head_width,
        .keys = tokens + (a->heads + kv) * a->head_width,
        .values = tokens + (a->heads + a->kv_heads + kv) * a->head_width,
        .packed_keys = packed,
        .packed_values = packed + padded_keys(a) * a->head_width,
    };
}

/* Compute one strip of a head in float32. */
static void attend(struct head h, struct own_scratch own, int64_t from, const struct attention *a)
{
    const struct strip s = strip_at(a, from, 1);
    const int64_t stride = attention_stride(a);
    float *out = h.out + from * attention_out_stride(a);
    float sum[ATTENTION_STRIP];

    gemm_nt(own.score, s.keys, h.queries + from * stride, stride, h.keys + s.oldest * stride,
            stride, s.queries, s.keys, a->head_width, false);
    strip_weigh(sum, own.score, s, a);
    gemm_nn(out, attention_out_stride(a), own.score, s.keys, h.values + s.oldest * stride, stride,
            s.queries, a->head_width, s.keys, false);
    for (int64_t i = 0; i < s.queries; i++)
        scale_row(out + i * attention_out_stride(a), out + i * attention_out_stride(a),
                  a->head_width, 1 / sum[i]);
}

/* --- the same in bfloat16 ------------------------------------------------------------ */

/* Round `count` tokens of a head to bf16.
 *   to  [count, head_width]  out */
static void round_tokens(uint16_t *to, const float *from, int64_t count,
                         const struct attention *a)
{
    for (int64_t i = 0; i < count; i++)
        bf16_from_float(to + i * a->head_width, from + i * attention_stride(a), a->head_width);
}

/* Round and pack the keys and values of a head.  Its padding becomes 0. */
static void pack_head(struct head h, struct own_scratch own, const struct attention *a)
{
    const int64_t width = a->head_width, stride = attention_stride(a);

    memset(h.packed_keys, 0, (size_t)packed_count(a) * sizeof *h.packed_keys);
    for (int64_t from = 0; from < a->context; from += ATTENTION_STRIP) {
        const int64_t count = min_int64(ATTENTION_STRIP, a->context - from);
        round_tokens(own.tokens, h.keys + from * stride, count, a);
        dot_pack_transposed(h.packed_keys + from * width, width * DOT_LANES, own.tokens, width,
                            width, count);
        round_tokens(own.tokens, h.values + from * stride, count, a);
        dot_pack(h.packed_values + from * DOT_LANES, padded_keys(a) * DOT_LANES, own.tokens, width,
                 count, width);
    }
}

/* Compute one strip of a head in bf16. */
static void attend_packed(struct head h, struct own_scratch own, int64_t from,
                          const struct attention *a)
{
    const struct strip s = strip_at(a, from, DOT_COLUMNS);
    const int64_t width = a->head_width, rows = round_up(s.queries, DOT_ROWS);
    float sum[ATTENTION_STRIP];

    round_tokens(own.tokens, h.queries + from * attention_stride(a), s.queries, a);
    dot_product(own.score, s.keys, own.tokens, width, h.packed_keys + s.oldest * width,
                width * DOT_LANES, rows, s.keys, width);
    strip_weigh(sum, own.score, s, a);
    bf16_from_float(own.weights, own.score, s.queries * s.keys);
    dot_product(own.sums, padded_width(a), own.weights, s.keys,
                h.packed_values + s.oldest * DOT_LANES, padded_keys(a) * DOT_LANES, rows,
                padded_width(a), s.keys);
    for (int64_t i = 0; i < s.queries; i++)
        scale_row(h.out + (from + i) * attention_out_stride(a), own.sums + i * padded_width(a),
                  a->head_width, 1 / sum[i]);
}

/* --- all ----------------------------------------------------------------------------- */

void attention(float *out, const float *qkv, void *scratch, const struct attention *a)
{
    const int64_t strips = (a->context + ATTENTION_STRIP - 1) / ATTENTION_STRIP;
    const int64_t group = a->heads / a->kv_heads;
    const bool packs = in_bf16(a);

    #pragma omp parallel
    {
        const struct own_scratch own = own_at((char *)scratch + packed_bytes(a)
                                              + omp_get_thread_num() * own_bytes(a), a);

        #pragma omp for schedule(dynamic)
        for (int64_t kv = 0; kv < (packs ? a->sequences * a->kv_heads : 0); kv++)
            pack_head(head_at(out, qkv, scratch, kv / a->kv_heads, kv % a->kv_heads * group, a),
                      own, a);
        #pragma omp for schedule(dynamic)
        for (int64_t item = 0; item < a->sequences * a->heads * strips; item++) {
            const struct head head = head_at(out, qkv, scratch, item / strips / a->heads,
                                             item / strips % a->heads, a);
            (packs ? attend_packed : attend)(head, own, item % strips * ATTENTION_STRIP, a);
        }
    }
}
