/* attention() by its definition in double: windows, grouped heads, caps, strips cut short. */
#include "kernels/attention.h"
#include "base/random.h"
#include "base/status.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

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

static void check(struct attention a)
{
    const int64_t rows = a.sequences * a.context;
    const int64_t stride = (int64_t)(a.heads + 2 * a.kv_heads) * a.head_width;
    float *qkv = allocate(rows * stride, sizeof *qkv);
    float *out = allocate(rows * a.heads * a.head_width, sizeof *out);
    float *scratch = allocate(attention_scratch(a.context, omp_get_max_threads()),
                              sizeof *scratch);
    double expected[64];

    for (int64_t i = 0; i < rows * stride; i++)
        qkv[i] = 4 * random_uniform(1, 0, (uint64_t)i) - 2;
    attention(out, qkv, scratch, &a);
    for (int64_t r = 0; r < rows; r++)
        for (int h = 0; h < a.heads; h++) {
            attend(expected, &a, qkv, r / a.context, h, r % a.context);
            for (int c = 0; c < a.head_width; c++)
                assert_true(fabs((double)out[(r * a.heads + h) * a.head_width + c]
                                 - expected[c]) < 1e-5);
        }
    free(scratch);
    free(out);
    free(qkv);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_its_definition),
        cmocka_unit_test(shares_keys_among_any_group_of_heads),
        cmocka_unit_test(takes_sequences_shorter_than_a_strip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
