/* The elementary functions of the kernels, and the kernels that are little more than them. */
#include "kernels/gelu.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/vectors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Against libm in double, on a fine grid: the bounds are those that vectors.h states. */
static void exp_and_tanh_keep_their_error_bounds(void **state)
{
    double worst_exp = 0, worst_tanh = 0;

    (void)state;
    for (int i = -870000; i <= 870000; i++) {
        const float x = (float)i * 1e-4f;
        const double e = fabs((double)vector_exp(x) / exp((double)x) - 1);
        worst_exp = e > worst_exp ? e : worst_exp;
    }
    for (int i = 1; i <= 1000000; i++) {
        const float x = (float)i * 2e-5f;
        const double e = fabs((double)vector_tanh(x) / tanh((double)x) - 1);
        worst_tanh = e > worst_tanh ? e : worst_tanh;
        assert_true(vector_tanh(-x) + vector_tanh(x) <= 2e-7f);
        assert_true(vector_tanh(-x) + vector_tanh(x) >= -2e-7f);
    }
    assert_true(worst_exp < 3e-7);
    assert_true(worst_tanh < 4e-7);
}

static void exp_and_tanh_know_their_limits(void **state)
{
    (void)state;
    assert_true(vector_exp(0) == 1);
    assert_true(vector_exp(89) == INFINITY && vector_exp(1e6f) == INFINITY);
    assert_true(vector_exp(-88) == 0 && vector_exp(-1e6f) == 0);
    assert_true(vector_tanh(0) == 0);
    assert_true(vector_tanh(1e-30f) == 1e-30f);
    assert_true(vector_tanh(1e5f) == 1 && vector_tanh(-1e5f) == -1);
    assert_true(isnan(vector_exp(INFINITY)) && isnan(vector_exp(-INFINITY)));
    assert_true(isnan(vector_exp(NAN)));
    assert_true(isnan(vector_tanh(NAN)));
}

static void gelu_follows_its_definition(void **state)
{
    enum { ROWS = 3, WIDTH = 37 };
    float gate_up[ROWS * 2 * WIDTH], h[ROWS * WIDTH];

    (void)state;
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < WIDTH; i++) {
            gate_up[2 * r * WIDTH + i] = (float)(i * ROWS + r) * 0.2f - 10;
            gate_up[(2 * r + 1) * WIDTH + i] = 3 - (float)i * 0.1f;
        }
    for (int r = 0; r < ROWS; r++)
        gelu_gate(h + r * WIDTH, gate_up + 2 * r * WIDTH, gate_up + (2 * r + 1) * WIDTH, WIDTH);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < WIDTH; i++) {
            const double g = (double)gate_up[2 * r * WIDTH + i];
            const double u = sqrt(2 / acos(-1)) * (g + 0.044715 * g * g * g);
            const double e = g / 2 * (1 + tanh(u)) * (double)gate_up[(2 * r + 1) * WIDTH + i];
            assert_true(fabs((double)h[r * WIDTH + i] - e) < 2e-6 * (1 + fabs(e)));
        }
}

/* Rows (3, 4) and (0, 0): the mean of the squares is 12.5 and 0. */
static void rms_norm_divides_by_the_root_of_the_mean_square(void **state)
{
    const float x[] = { 3, 4, 0, 0 }, scale[] = { 2, -1 };
    float y[4];

    (void)state;
    norm_rms(y, x, scale, 2, 2, 0.5f);
    assert_true(fabs((double)y[0] - 6 / sqrt(13)) < 1e-6);
    assert_true(fabs((double)y[1] + 4 / sqrt(13)) < 1e-6);
    assert_true(y[2] == 0 && y[3] == 0);
}

/* Two positions, one head of four: pair (0, 2) turns by 1 radian a position, pair (1, 3) by
 * base^(-1/2) = 0.1; the values behind the head stay. */
static void rope_turns_pairs_half_a_head_apart(void **state)
{
    float cosine[4], sine[4], x[] = { 1, 1, 0, 0, 7,   1, 1, 0, 0, 7 };
    const double expected[] = { 1, 1, 0, 0, 7,   cos(1), cos(0.1), sin(1), sin(0.1), 7 };

    (void)state;
    rope_angles(cosine, sine, 2, 4, 100, 1);
    rope_rotate(x, 5, cosine, sine, 2, 2, 1, 4);
    for (int i = 0; i < 10; i++)
        assert_true(fabs((double)x[i] - expected[i]) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_and_tanh_keep_their_error_bounds),
        cmocka_unit_test(exp_and_tanh_know_their_limits),
        cmocka_unit_test(gelu_follows_its_definition),
        cmocka_unit_test(rms_norm_divides_by_the_root_of_the_mean_square),
        cmocka_unit_test(rope_turns_pairs_half_a_head_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
