/* narrow_product() by its definition, and the bits of its rows. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/narrow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 2 * NARROW_ROWS + 7 };

static float *random_floats(int64_t n, uint64_t seed)
{
    float *x = allocate(n, sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
    return x;
}

/* The product of some rows of x.  Caller frees. */
static float *product(const float *x, const float *w, int64_t rows, int64_t outputs,
                      int64_t inputs)
{
    float *packed = allocate(narrow_count(rows, inputs), sizeof *packed);
    float *y = allocate(rows * outputs, sizeof *y);

    narrow_pack(packed, x, rows, inputs);
    narrow_apply(y, outputs, packed, w, rows, outputs, inputs);
    free(packed);
    return y;
}

static void check(int64_t rows, int64_t outputs, int64_t inputs)
{
    float *x = random_floats(rows * inputs, 1), *w = random_floats(outputs * inputs, 2);
    float *y = product(x, w, rows, outputs, inputs);

    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = 0;
            for (int64_t i = 0; i < inputs; i++)
                sum += (double)x[r * inputs + i] * (double)w[o * inputs + i];
            assert_true(fabs((double)y[r * outputs + o] - sum) < 1e-6 * sqrt((double)inputs));
        }
    free(y);
    free(w);
    free(x);
}

static void multiplies_any_shape(void **state)
{
    static const int64_t ROWS[] = { 1, NARROW_ROWS, NARROW_ROWS + 1, MOST };
    static const int64_t OUTPUTS[] = { 1, 5, 6, NARROW_OUTPUTS, 2 * NARROW_OUTPUTS + 13 };
    static const int64_t INPUTS[] = { 1, 7, NARROW_RUN, 2 * NARROW_RUN + 3 };

    (void)state;
    for (int r = 0; r < 4; r++)
        for (int o = 0; o < 5; o++)
            for (int i = 0; i < 4; i++)
                check(ROWS[r], OUTPUTS[o], INPUTS[i]);
}

/* Rows alone, and in every place among any number of others. */
static void gives_a_row_the_same_bits_whatever_the_others_are(void **state)
{
    enum { OUTPUTS = NARROW_OUTPUTS + 5, INPUTS = NARROW_RUN + 9 };
    float *w = random_floats(OUTPUTS * INPUTS, 1), *x = random_floats(MOST * INPUTS, 2);
    float *alone = product(x, w, 1, OUTPUTS, INPUTS);

    (void)state;
    for (int64_t rows = 1; rows <= MOST; rows++) {
        const int64_t place = (rows * 5 - 1) % rows;
        float *others = random_floats(rows * INPUTS, (uint64_t)rows);
        memcpy(others + place * INPUTS, x, INPUTS * sizeof *x);
        float *y = product(others, w, rows, OUTPUTS, INPUTS);
        assert_memory_equal(y + place * OUTPUTS, alone, OUTPUTS * sizeof *y);
        free(y);
        free(others);
    }
    for (int64_t r = 1; r < MOST; r++)
        memcpy(x + r * INPUTS, x, INPUTS * sizeof *x);
    float *same = product(x, w, MOST, OUTPUTS, INPUTS);
    for (int64_t r = 0; r < MOST; r++)
        assert_memory_equal(same + r * OUTPUTS, alone, OUTPUTS * sizeof *same);
    free(same);
    free(alone);
    free(x);
    free(w);
}

/* Outputs one by one: of a tile, and of its rest. */
static void gives_an_output_the_same_bits_however_they_are_divided(void **state)
{
    enum { ROWS = 3, OUTPUTS = NARROW_OUTPUTS + 8, INPUTS = 300 };
    float *w = random_floats(OUTPUTS * INPUTS, 1), *x = random_floats(ROWS * INPUTS, 2);
    float *all = product(x, w, ROWS, OUTPUTS, INPUTS);

    (void)state;
    for (int64_t o = 0; o < OUTPUTS; o++) {
        float *one = product(x, w + o * INPUTS, ROWS, 1, INPUTS);
        for (int64_t r = 0; r < ROWS; r++)
            assert_memory_equal(one + r, all + r * OUTPUTS + o, sizeof *one);
        free(one);
    }
    free(all);
    free(x);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies_any_shape),
        cmocka_unit_test(gives_a_row_the_same_bits_whatever_the_others_are),
        cmocka_unit_test(gives_an_output_the_same_bits_however_they_are_divided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
