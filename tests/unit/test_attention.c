/* attention() by its definition in double: windows, grouped heads, caps, strips cut short; and
 * attention_back() by differences of it. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/attention.h"
#include "kernels/attention_back.h"
#include "kernels/bf16.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double score(const struct attention *a, const float *q, const float *k)
{
    double sum = 0;

    for (int i = 0; i < a->head_width; i++)
        sum += (double)q[i] * (double)k[i];
    sum *= (double)a->scale;
    return a->cap > 0 ? (double)a->cap * tanh(sum / (double)a->cap) : sum;
}

/* Output of one head at one position. */
static void attend(double *out, const struct attention *a, const float *qkv, int64_t sequence,
                   int head, int64_t i)
{
    const int64_t stride = (int64_t)(a->heads + 2 * a->kv_heads) * a->head_width;
    const float *rows = qkv + sequence * a->context * stride;
    const int kv = head / (a->heads / a->kv_heads);
    const int64_t first = a->window > 0 && i >= a->window ? i - a->window + 1 : 0;
    double sum = 0;

    for (int c = 0; c < a->head_width; c++)
        out[c] = 0;
    for (int64_t j = first; j <= i; j++) {
        const float *key = rows + j * stride + (a->heads + kv) * a->head_width;
        const double weight = exp(score(a, rows + i * stride + head * a->head_width, key));
        for (int c = 0; c < a->head_width; c++)
            out[c] += weight * (double)key[a->kv_heads * a->head_width + c];
        sum += weight;
    }
    for (int c = 0; c < a->head_width; c++)
        out[c] /= sum;
}

/* Random queries, keys and values in (-2, 2), such as bf16 can hold. */
static float *random_tokens(int64_t n)
{
    float *x = allocate(n, sizeof *x);
    uint16_t *half = allocate(n, sizeof *half);

    for (int64_t i = 0; i < n; i++)
        x[i] = 4 * random_uniform(1, 0, (uint64_t)i) - 2;
    bf16_from_float(half, x, n);
    bf16_to_float(x, half, n);
    free(half);
    return x;
}

/* The caller frees the output. */
static float *output(const struct attention *a, const float *qkv)
{
    float *out = allocate(a->sequences * a->context * a->heads * a->head_width, sizeof *out);
    void *scratch = allocate(attention_scratch(a, omp_get_max_threads()), 1);

    attention(out, qkv, scratch, a);
    free(scratch);
    return out;
}

/* bf16 rounds only the weights of the values, by 2^-9 of each at most. */
static void check_in(enum precision precision, struct attention a)
{
    const double tolerance = precision == PRECISION_BF16 ? 2 * 0x1p-9 + 1e-5 : 1e-5;
    const int64_t rows = a.sequences * a.context;
    float *qkv = random_tokens(rows * (a.heads + 2 * a.kv_heads) * a.head_width);
    double expected[64];

    a.precision = precision;
    float *out = output(&a, qkv);
    for (int64_t r = 0; r < rows; r++)
        for (int h = 0; h < a.heads; h++) {
            attend(expected, &a, qkv, r / a.context, h, r % a.context);
            for (int c = 0; c < a.head_width; c++)
                assert_true(fabs((double)out[(r * a.heads + h) * a.head_width + c]
                                 - expected[c]) < tolerance);
        }
    free(out);
    free(qkv);
}

static void check(struct attention a)
{
    check_in(PRECISION_F32, a);
    check_in(PRECISION_BF16, a);
}

static const struct attention SHAPE = {
    .sequences = 2, .context = 2 * ATTENTION_STRIP + 19, .heads = 4, .kv_heads = 2,
    .head_width = 8, .window = 0, .scale = 0.5f, .cap = 0,
};

static void follows_its_definition(void **state)
{
    static const int WINDOWS[] = { 0, 1, 16, ATTENTION_STRIP, ATTENTION_STRIP + 1, 1000 };

    (void)state;
    for (size_t i = 0; i < sizeof WINDOWS / sizeof *WINDOWS; i++)
        for (int cap = 0; cap <= 5; cap += 5) {
            struct attention a = SHAPE;
            a.window = WINDOWS[i];
            a.cap = (float)cap;
            check(a);
        }
}

static void shares_keys_among_any_group_of_heads(void **state)
{
    (void)state;
    for (int kv_heads = 1; kv_heads <= 4; kv_heads *= 2) {
        struct attention a = SHAPE;
        a.kv_heads = kv_heads;
        check(a);
    }
}

static void takes_sequences_shorter_than_a_strip(void **state)
{
    (void)state;
    for (int64_t context = 1; context <= 3; context++) {
        struct attention a = SHAPE;
        a.context = context;
        check(a);
    }
}

/* Whole panels of keys and values, and parts of them. */
static void takes_heads_of_any_width(void **state)
{
    static const int WIDTHS[] = { 2, 24, 32, 40, 64 };

    (void)state;
    for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++) {
        struct attention a = SHAPE;
        a.head_width = WIDTHS[i];
        a.window = 40;
        check(a);
    }
}

static void gives_the_same_bits_on_any_number_of_threads(void **state)
{
    struct attention a = SHAPE;

    (void)state;
    const int64_t count = a.sequences * a.context * a.heads * a.head_width;
    float *qkv = random_tokens(count * 2);
    for (int p = 0; p < 2; p++) {
        a.precision = (enum precision)p;
        omp_set_num_threads(1);
        float *one = output(&a, qkv);
        omp_set_num_threads(3);
        float *three = output(&a, qkv);
        assert_memory_equal(one, three, (size_t)count * sizeof *one);
        free(three);
        free(one);
    }
    free(qkv);
}

/* The caller frees the gradients. */
static float *gradients(const struct attention *a, const float *gradient, const float *qkv)
{
    float *back = allocate(a->sequences * a->context * attention_stride(a), sizeof *back);
    void *scratch = allocate(attention_back_scratch(a, omp_get_max_threads()), 1);

    attention_back(back, gradient, qkv, scratch, a);
    free(scratch);
    return back;
}

/* The sum of the output of a sequence weighted with the gradient, by the definition. */
static double weighted_sum(const struct attention *a, const float *gradient, const float *qkv,
                           int64_t sequence)
{
    double out[64], sum = 0;

    for (int64_t i = 0; i < a->context; i++)
        for (int h = 0; h < a->heads; h++) {
            const int64_t head = (sequence * a->context + i) * a->heads + h;
            attend(out, a, qkv, sequence, h, i);
            for (int c = 0; c < a->head_width; c++)
                sum += out[c] * (double)gradient[head * a->head_width + c];
        }
    return sum;
}

/* Move a head of a token, which float32 holds exactly, in the direction +-1, and compare the change
 * of that sum with the gradients. */
static void check_head_back(const struct attention *a, const float *back, const float *gradient,
                            float *qkv, int64_t row, int head)
{
    const float step = 0x1p-10f;
    float *values = qkv + row * attention_stride(a) + head * a->head_width;
    double along = 0, sum[2];

    for (int way = 0; way < 2; way++) {
        for (int c = 0; c < a->head_width; c++)
            values[c] += (way == 0 ? -1 : 2) * (c * 5 % 3 == 0 ? -step : step);
        sum[way] = weighted_sum(a, gradient, qkv, row / a->context);
    }
    for (int c = 0; c < a->head_width; c++) {
        values[c] -= c * 5 % 3 == 0 ? -step : step;
        along += (c * 5 % 3 == 0 ? -1 : 1) * (double)back[values - qkv + c];
    }
    assert_true(fabs((sum[1] - sum[0]) / (2 * (double)step) - along) < 2e-5 * (1 + fabs(along)));
}

static void check_back(struct attention a)
{
    const int64_t rows = a.sequences * a.context;
    float *qkv = random_tokens(rows * attention_stride(&a));
    float *gradient = random_tokens(rows * attention_out_stride(&a));
    float *back = gradients(&a, gradient, qkv);

    for (int64_t row = 0; row < rows; row += 1 + rows / 7)
        for (int head = 0; head < a.heads + 2 * a.kv_heads; head++)
            check_head_back(&a, back, gradient, qkv, row, head);
    free(back);
    free(gradient);
    free(qkv);
}

static void goes_back_by_its_derivatives(void **state)
{
    static const int WINDOWS[] = { 0, 1, 16, ATTENTION_STRIP + 1 };

    (void)state;
    for (size_t i = 0; i < sizeof WINDOWS / sizeof *WINDOWS; i++)
        for (int cap = 0; cap <= 5; cap += 5) {
            struct attention a = SHAPE;
            a.context = ATTENTION_STRIP + 13;
            a.window = WINDOWS[i];
            a.cap = (float)cap;
            a.kv_heads = i == 0 ? 4 : 2;
            check_back(a);
        }
}

static void goes_back_with_the_same_bits_on_any_number_of_threads(void **state)
{
    const struct attention a = SHAPE;

    (void)state;
    const int64_t count = a.sequences * a.context * attention_stride(&a);
    float *qkv = random_tokens(count), *gradient = random_tokens(count / 2);
    omp_set_num_threads(1);
    float *one = gradients(&a, gradient, qkv);
    omp_set_num_threads(3);
    float *three = gradients(&a, gradient, qkv);
    assert_memory_equal(one, three, (size_t)count * sizeof *one);
    free(three);
    free(one);
    free(gradient);
    free(qkv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_its_definition),
        cmocka_unit_test(shares_keys_among_any_group_of_heads),
        cmocka_unit_test(takes_sequences_shorter_than_a_strip),
        cmocka_unit_test(takes_heads_of_any_width),
        cmocka_unit_test(gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(goes_back_by_its_derivatives),
        cmocka_unit_test(goes_back_with_the_same_bits_on_any_number_of_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
