/* Differences, sums and weighted sums of rows against their definitions, at widths with whole
 * and broken vectors, for blocks inside of larger matrices. */
#include "base/random.h"
#include "kernels/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROWS = 9, LD = 150, LD_OUT = 160, MOST = 140 };

static const int64_t WIDTHS[] = { 1, 7, 16, 17, 128, MOST };
enum { WIDTHS_COUNT = sizeof WIDTHS / sizeof *WIDTHS };

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
}

static void rows_are_subtracted_and_nothing_else_is_touched(void **state)
{
    float out[ROWS * LD_OUT], before[ROWS * LD_OUT], from[MOST], x[ROWS * LD];

    (void)state;
    fill(from, MOST, 1);
    fill(x, ROWS * LD, 2);
    fill(before, ROWS * LD_OUT, 3);
    for (int w = 0; w < WIDTHS_COUNT; w++) {
        fill(out, ROWS * LD_OUT, 3);
        rows_subtract(out, LD_OUT, from, x + 3, LD, ROWS - 1, WIDTHS[w]);
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t j = 0; j < LD_OUT; j++)
                assert_true(out[row * LD_OUT + j]
                            == (row < ROWS - 1 && j < WIDTHS[w] ? from[j] - x[3 + row * LD + j]
                                                                : before[row * LD_OUT + j]));
    }
}

static void columns_are_summed_row_after_row(void **state)
{
    double sums[MOST + 1];
    float x[ROWS * LD];

    (void)state;
    fill(x, ROWS * LD, 4);
    for (int w = 0; w < WIDTHS_COUNT; w++) {
        sums[WIDTHS[w]] = 7;
        rows_sum(sums, x + 3, LD, ROWS, WIDTHS[w]);
        for (int64_t j = 0; j < WIDTHS[w]; j++) {
            double want = 0;
            for (int64_t row = 0; row < ROWS; row++)
                want += (double)x[3 + row * LD + j];
            assert_true(sums[j] == want);
        }
        assert_true(sums[WIDTHS[w]] == 7);
    }
}

/* Values and weights of few bits: products and sums are exact. */
static void weighted_rows_are_summed(void **state)
{
    double sums[MOST + 1], weight[ROWS];
    float x[ROWS * MOST];

    (void)state;
    for (int64_t row = 0; row < ROWS; row++)
        weight[row] = (double)(3 * row - 8) / 4;
    for (int64_t i = 0; i < ROWS * MOST; i++)
        x[i] = (float)(i * 37 % 101 - 50) / 8;
    for (int w = 0; w < WIDTHS_COUNT; w++) {
        sums[WIDTHS[w]] = 7;
        rows_combine(sums, weight, x, ROWS, WIDTHS[w]);
        for (int64_t j = 0; j < WIDTHS[w]; j++) {
            double want = 0;
            for (int64_t row = 0; row < ROWS; row++)
                want += weight[row] * (double)x[row * WIDTHS[w] + j];
            assert_true(sums[j] == want);
        }
        assert_true(sums[WIDTHS[w]] == 7);
    }
}

/* Numbers of few bits, all exact.  A gate of 1 leaves a row as it is, one of 0 takes the other. */
static void rows_are_mixed(void **state)
{
    static const float GATES[] = { 0, 0.25f, 1 };
    float row[MOST + 1], difference[MOST + 1], x[MOST];

    (void)state;
    for (int w = 0; w < 3 * WIDTHS_COUNT; w++) {
        const int64_t width = WIDTHS[w / 3];
        const float gate = GATES[w % 3];
        for (int64_t j = 0; j < width; j++) {
            row[j] = (float)(j * 37 % 101 - 50);
            x[j] = (float)(j * 13 % 7) / 4;
        }
        row[width] = difference[width] = 7;
        row_mix(row, difference, x, gate, width);
        for (int64_t j = 0; j < width; j++) {
            const float before = (float)(j * 37 % 101 - 50);
            assert_true(difference[j] == before - x[j]);
            assert_true(row[j] == x[j] + gate * (before - x[j]));
        }
        assert_true(row[width] == 7 && difference[width] == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_subtracted_and_nothing_else_is_touched),
        cmocka_unit_test(columns_are_summed_row_after_row),
        cmocka_unit_test(weighted_rows_are_summed),
        cmocka_unit_test(rows_are_mixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
