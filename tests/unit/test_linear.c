/* linear_apply(): the product in both precisions, and its bits. */
#include "kernels/linear.h"
#include "base/random.h"
#include "base/status.h"
#include "kernels/bf16.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float *random_floats(int64_t n, uint64_t seed)
{
    float *x = allocate(n, sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
    return x;
}

static float *rounded(const float *x, int64_t n)
{
    uint16_t *half = allocate(n, sizeof *half);
    float *out = allocate(n, sizeof *out);

    bf16_from_float(half, x, n);
    bf16_to_float(out, half, n);
    free(half);
    return out;
}

/* Packed weights, ready to multiply; `room` is the caller's to free. */
static struct linear ready(enum precision precision, const float *w, int64_t outputs,
                           int64_t inputs, void **room)
{
    struct linear linear;

    *room = aligned_alloc(64, (size_t)(linear_bytes(precision, outputs, inputs) + 63) / 64 * 64);
    uint16_t *scratch = allocate(outputs * inputs, sizeof *scratch);
    linear_make(&linear, precision, outputs, inputs, *room);
    linear_pack(&linear, w, scratch);
    free(scratch);
    return linear;
}

static void *scratch_of(const struct linear *linear)
{
    return aligned_alloc(64, (size_t)(linear_scratch(linear->precision, linear->outputs,
                                                     linear->inputs) / 64 + 1) * 64);
}

/* Against the definition in double; for bf16 with operands rounded by another route. */
static void check_product(enum precision precision, int64_t rows, int64_t outputs, int64_t inputs)
{
    float *x = random_floats(rows * inputs, 1), *w = random_floats(outputs * inputs, 2);
    float *rx = precision == PRECISION_BF16 ? rounded(x, rows * inputs) : x;
    float *rw = precision == PRECISION_BF16 ? rounded(w, outputs * inputs) : w;
    float *y = allocate(rows * outputs, sizeof *y);
    void *room, *scratch;
    struct linear linear = ready(precision, w, outputs, inputs, &room);

    scratch = scratch_of(&linear);
    linear_apply(&linear, y, x, rows, scratch);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = 0;
            for (int64_t i = 0; i < inputs; i++)
                sum += (double)rx[r * inputs + i] * (double)rw[o * inputs + i];
            assert_true(fabs(sum - (double)y[r * outputs + o]) < 2e-5);
        }
    linear_free(&linear);
    if (rx != x) {
        free(rx);
        free(rw);
    }
    free(scratch);
    free(room);
    free(y);
    free(w);
    free(x);
}

static void equals_the_definition(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++)
        if (linear_offers((enum precision)p)) {
            check_product((enum precision)p, 5, 96, 48);
            check_product((enum precision)p, 600, 33, 65);
            check_product((enum precision)p, 1, 1, 1);
        }
}

/* A row alone, in a short tile, in a full one, on one thread and on two. */
static void gives_a_row_the_same_bits_in_any_company(void **state)
{
    enum { ROWS = 1100, OUTPUTS = 192, INPUTS = 128 };
    float *x = random_floats(ROWS * INPUTS, 3), *w = random_floats(OUTPUTS * INPUTS, 4);
    float *whole = allocate(ROWS * OUTPUTS, sizeof *whole), *part = allocate(ROWS * OUTPUTS, 4);
    void *room, *scratch;

    (void)state;
    if (!linear_offers(PRECISION_BF16))
        skip();
    struct linear linear = ready(PRECISION_BF16, w, OUTPUTS, INPUTS, &room);
    scratch = scratch_of(&linear);
    omp_set_num_threads(1);
    linear_apply(&linear, whole, x, ROWS, scratch);
    for (int64_t first = 0; first < ROWS; first += 123) {
        const int64_t n = first + 700 < ROWS ? 700 : ROWS - first;
        omp_set_num_threads(1 + (int)(first % 2));
        linear_apply(&linear, part, x + first * INPUTS, n, scratch);
        assert_memory_equal(part, whole + first * OUTPUTS, (size_t)(n * OUTPUTS) * sizeof *part);
    }
    linear_free(&linear);
    free(scratch);
    free(room);
    free(part);
    free(whole);
    free(w);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
        cmocka_unit_test(gives_a_row_the_same_bits_in_any_company),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
