/* The weights of a query are those that attention() gives to the values. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/attention_weights.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct attention SHAPE = {
    .sequences = 2, .context = 21, .heads = 4, .kv_heads = 2, .head_width = 6, .scale = 0.5f,
};

/* Check one query against its outputs. */
static void check_query(const struct attention *a, const float *qkv, const float *out, int64_t row,
                        int32_t head)
{
    const int64_t stride = (a->heads + 2 * a->kv_heads) * a->head_width, at = row % a->context;
    const float *values = qkv + row / a->context * a->context * stride
                        + (a->heads + a->kv_heads + head / 2) * a->head_width;
    float *weights = allocate(a->context, sizeof *weights);
    double sum = 0;

    attention_weights(weights, qkv, a, row / a->context, at, head);
    for (int64_t t = 0; t < a->context; t++) {
        const bool seen = t <= at && (a->window == 0 || t > at - a->window);
        assert_true(seen ? weights[t] > 0 : weights[t] == 0);
        sum += (double)weights[t];
    }
    assert_true(fabs(sum - 1) < 1e-6);
    for (int32_t i = 0; i < a->head_width; i++) {
        double value = 0;
        for (int64_t t = 0; t < a->context; t++)
            value += (double)weights[t] * (double)values[t * stride + i];
        assert_true(fabs(value - (double)out[(row * a->heads + head) * a->head_width + i])
                    < 1e-5);
    }
    free(weights);
}

static void check(const struct attention *a)
{
    const int64_t rows = a->sequences * a->context, own = a->heads * a->head_width;
    float *qkv = allocate(rows * 2 * own, sizeof *qkv), *out = allocate(rows * own, sizeof *out);
    void *scratch = allocate(attention_scratch(a, omp_get_max_threads()), 1);

    for (int64_t i = 0; i < rows * 2 * own; i++)
        qkv[i] = 4 * random_uniform(1, 0, (uint64_t)i) - 2;
    attention(out, qkv, scratch, a);
    for (int64_t row = 0; row < rows; row++)
        for (int32_t head = 0; head < a->heads; head++)
            check_query(a, qkv, out, row, head);
    free(scratch);
    free(out);
    free(qkv);
}

static void equals_what_attention_does(void **state)
{
    (void)state;
    for (int window = 0; window <= 8; window += 8)
        for (int cap = 0; cap <= 2; cap += 2) {
            struct attention a = SHAPE;
            a.window = window;
            a.cap = (float)cap;
            check(&a);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_what_attention_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
