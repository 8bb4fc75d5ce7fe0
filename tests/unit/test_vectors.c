/* The elementary functions of the kernels, and the kernels that are little more than them. */
#include "kernels/activation.h"
#include "kernels/entropy.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/vectors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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

/* Against libm in double. */
static void normal_keeps_its_error_bound(void **state)
{
    double worst = 0;

    (void)state;
    for (int i = -1000000; i <= 1000000; i++) {
        const float x = (float)i * 1e-5f;
        const double e = fabs((double)vector_normal(x) - erfc(-(double)x / sqrt(2)) / 2);
        worst = e > worst ? e : worst;
    }
    assert_true(worst < 3e-7);
    assert_true(vector_normal(1e3f) == 1 && vector_normal(-1e3f) == 0);
    assert_true(isnan(vector_normal(NAN)));
}

static double activation_of(enum activation activation, double x)
{
    const double u = sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x);

    return activation == ACTIVATION_RELU ? fmax(x, 0)
         : activation == ACTIVATION_SILU ? x / (1 + exp(-x))
         : activation == ACTIVATION_GELU ? x / 2 * erfc(-x / sqrt(2)) : x / 2 * (1 + tanh(u));
}

static void activations_follow_their_definitions(void **state)
{
    enum { COUNT = 111 };
    float x[COUNT], up[COUNT], h[COUNT], gated[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)i * 0.2f - 10;
        up[i] = 3 - (float)i * 0.1f;
    }
    for (enum activation a = ACTIVATION_GELU_TANH; a <= ACTIVATION_RELU; a++) {
        activation_apply(a, h, x, COUNT);
        activation_gate(a, gated, x, up, COUNT);
        for (int i = 0; i < COUNT; i++) {
            const double e = activation_of(a, (double)x[i]);
            assert_true(fabs((double)h[i] - e) < 2e-6 * (1 + fabs(e)));
            assert_true(fabs((double)gated[i] - e * (double)up[i])
                        < 2e-6 * (1 + fabs(e * (double)up[i])));
        }
    }
}

/* Central differences of the definition, in double. */
static double activation_slope(enum activation activation, double x)
{
    const double step = 1e-5;

    return (activation_of(activation, x + step) - activation_of(activation, x - step)) / (2 * step);
}

/* The grid does not touch 0, where ReLU has a kink. */
static void activations_go_back_by_their_derivatives(void **state)
{
    enum { COUNT = 111 };
    float x[COUNT], gate[COUNT], up[COUNT], gradient[COUNT];

    (void)state;
    for (enum activation a = ACTIVATION_GELU_TANH; a <= ACTIVATION_RELU; a++) {
        for (int i = 0; i < COUNT; i++) {
            x[i] = gate[i] = (float)i * 0.2f - 10.1f;
            up[i] = 3 - (float)i * 0.1f;
            gradient[i] = 1 + (float)i * 0.01f;
        }
        activation_apply_back(a, x, gradient, COUNT);
        activation_gate_back(a, gate, up, gradient, COUNT);
        for (int i = 0; i < COUNT; i++) {
            const double at = (double)((float)i * 0.2f - 10.1f), g = (double)gradient[i];
            const double ups = (double)(3 - (float)i * 0.1f), slope = activation_slope(a, at);
            assert_true(fabs((double)x[i] - g * slope) < 4e-6);
            assert_true(fabs((double)gate[i] - g * ups * slope) < 4e-6 * (1 + fabs(ups)));
            assert_true(fabs((double)up[i] - g * activation_of(a, at)) < 4e-5);
        }
    }
}

static void relu_has_no_slope_at_0(void **state)
{
    float x[] = { 0, -0.0f, 1e-30f };
    const float gradient[] = { 5, 5, 5 };

    (void)state;
    activation_apply_back(ACTIVATION_RELU, x, gradient, 3);
    assert_true(x[0] == 0 && x[1] == 0 && x[2] == 5);
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

/* Either norm of a row by its definition, and its sum weighted with the gradient. */
static double normed_sum(const double *x, const float *scale, const float *gradient, int width,
                         double epsilon, bool centred)
{
    double mean = 0, squares = 0, sum = 0;

    for (int i = 0; i < width; i++)
        mean += centred ? x[i] / width : 0;
    for (int i = 0; i < width; i++)
        squares += (x[i] - mean) * (x[i] - mean) / width;
    for (int i = 0; i < width; i++)
        sum += (x[i] - mean) / sqrt(squares + epsilon) * (double)scale[i] * (double)gradient[i];
    return sum;
}

/* Central differences of that sum are the gradients at x. */
static void check_norm_back(const float *back, const float *x, const float *scale,
                            const float *gradient, int width, double epsilon, bool centred)
{
    const double step = 1e-5;
    double moved[2][32];

    for (int i = 0; i < width; i++) {
        for (int j = 0; j < width; j++)
            moved[0][j] = moved[1][j] = (double)x[j];
        moved[0][i] -= step;
        moved[1][i] += step;
        const double slope = (normed_sum(moved[1], scale, gradient, width, epsilon, centred)
                              - normed_sum(moved[0], scale, gradient, width, epsilon, centred))
                           / (2 * step);
        assert_true(fabs((double)back[i] - slope) < 2e-6);
    }
}

static void norms_go_back_by_their_derivatives(void **state)
{
    enum { ROWS = 3, WIDTH = 21 };
    const float epsilon = 0.01f;
    float x[ROWS * WIDTH], gradient[ROWS * WIDTH], back[ROWS * WIDTH], scale[WIDTH];

    (void)state;
    for (int i = 0; i < ROWS * WIDTH; i++) {
        x[i] = (float)(i * 37 % 101) * 0.03f - 1;
        gradient[i] = (float)(i * 53 % 97) * 0.02f - 1;
        scale[i % WIDTH] = 1.5f - (float)(i % WIDTH) * 0.1f;
    }
    norm_rms_back(back, gradient, x, scale, ROWS, WIDTH, epsilon);
    for (int r = 0; r < ROWS; r++)
        check_norm_back(back + r * WIDTH, x + r * WIDTH, scale, gradient + r * WIDTH, WIDTH,
                        (double)epsilon, false);
    memcpy(back, gradient, sizeof back);
    norm_layer_back(back, back, x, scale, ROWS, WIDTH, epsilon);
    for (int r = 0; r < ROWS; r++)
        check_norm_back(back + r * WIDTH, x + r * WIDTH, scale, gradient + r * WIDTH, WIDTH,
                        (double)epsilon, true);
    /* Rows of two heads of ten, and one value that is not theirs. */
    memcpy(back, gradient, sizeof back);
    norm_rms_heads_back(back, x, WIDTH, scale, ROWS, 2, 10, epsilon);
    for (int r = 0; r < ROWS; r++) {
        for (int h = r * WIDTH; h < r * WIDTH + 20; h += 10)
            check_norm_back(back + h, x + h, scale, gradient + h, 10, (double)epsilon, false);
        assert_true(back[r * WIDTH + 20] == gradient[r * WIDTH + 20]);
    }
}

/* cap tanh(x / cap) with cap 2 at 3: the slope is 1 / cosh(3/2)^2. */
static void the_cap_of_logits_goes_back_by_its_derivative(void **state)
{
    float logits[] = { 3, 0, -3, 1 }, gradient[] = { 1, 1, 2, -1 };
    const double expected[] = { pow(cosh(1.5), -2), 1, 2 * pow(cosh(1.5), -2),
                                -pow(cosh(0.5), -2) };

    (void)state;
    entropy_soft_cap(logits, 2, 2, 2);
    entropy_soft_cap_back(gradient, logits, 2, 2, 2);
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)gradient[i] - expected[i]) < 1e-6);
    entropy_soft_cap_back(gradient, logits, 2, 2, 0);
    assert_true(fabs((double)gradient[0] - expected[0]) < 1e-6);
}

/* Two positions, one head of four: pair (0, 2) turns by 1 radian a position, pair (1, 3) by
 * base^(-1/2) = 0.1; the values behind the head stay. */
static void rope_turns_pairs_half_a_head_apart(void **state)
{
    float cosine[4], sine[4], x[] = { 1, 1, 0, 0, 7,   1, 1, 0, 0, 7 };
    const double expected[] = { 1, 1, 0, 0, 7,   cos(1), cos(0.1), sin(1), sin(0.1), 7 };

    (void)state;
    rope_angles(cosine, sine, 2, &(struct rope){ .width = 4, .base = 100, .factor = 1 });
    rope_rotate(x, 5, cosine, sine, 2, 2, 1, 4, 4);
    for (int i = 0; i < 10; i++)
        assert_true(fabs((double)x[i] - expected[i]) < 1e-6);
}

static void rope_turns_back(void **state)
{
    float cosine[4], sine[4], x[14];

    (void)state;
    for (int i = 0; i < 14; i++)
        x[i] = (float)i;
    rope_angles(cosine, sine, 2, &(struct rope){ .width = 4, .base = 100, .factor = 1 });
    rope_rotate(x, 7, cosine, sine, 2, 2, 1, 6, 4);
    assert_true(fabs((double)x[7] - 7) > 1);
    rope_rotate_back(x, 7, cosine, sine, 2, 2, 1, 6, 4);
    for (int i = 0; i < 14; i++)
        assert_true(fabs((double)x[i] - i) < 1e-5);
}

/* Two heads of three dimensions; two of them turn. */
static void rope_leaves_the_rest_of_a_head(void **state)
{
    float cosine[2], sine[2], x[] = { 1, 0, 5, 0, 1, 6,   1, 0, 5, 0, 1, 6 };
    const double expected[] = { 1, 0, 5, 0, 1, 6,   cos(1), sin(1), 5, -sin(1), cos(1), 6 };

    (void)state;
    rope_angles(cosine, sine, 2, &(struct rope){ .width = 2, .base = 100, .factor = 1 });
    rope_rotate(x, 6, cosine, sine, 2, 2, 2, 3, 2);
    for (int i = 0; i < 12; i++)
        assert_true(fabs((double)x[i] - expected[i]) < 1e-6);
}

/* Four pairs turn by 1, 0.1, 0.01 and 0.001 radians a position.  Within 200 pi positions they make
 * 100, 10, 1 and 0.1 turns: of low = 4 and high = 16 the second keeps (10 - 4) / 12 = 1/2 of its
 * speed and takes 1/2 of an eighth of it. */
static void rope_divides_slow_turns_only(void **state)
{
    const struct rope rope = { .width = 8, .base = 1e4, .factor = 8, .original = 200 * acos(-1),
                               .low = 4, .high = 16 };
    const double turned[] = { 1, 0.1 * (0.5 + 0.5 / 8), 0.01 / 8, 0.001 / 8 };
    float cosine[8], sine[8];

    (void)state;
    rope_angles(cosine, sine, 2, &rope);
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)sine[4 + i] / sin(turned[i]) - 1) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_and_tanh_keep_their_error_bounds),
        cmocka_unit_test(exp_and_tanh_know_their_limits),
        cmocka_unit_test(normal_keeps_its_error_bound),
        cmocka_unit_test(activations_follow_their_definitions),
        cmocka_unit_test(activations_go_back_by_their_derivatives),
        cmocka_unit_test(relu_has_no_slope_at_0),
        cmocka_unit_test(rms_norm_divides_by_the_root_of_the_mean_square),
        cmocka_unit_test(norms_go_back_by_their_derivatives),
        cmocka_unit_test(the_cap_of_logits_goes_back_by_its_derivative),
        cmocka_unit_test(rope_turns_pairs_half_a_head_apart),
        cmocka_unit_test(rope_turns_back),
        cmocka_unit_test(rope_leaves_the_rest_of_a_head),
        cmocka_unit_test(rope_divides_slow_turns_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
