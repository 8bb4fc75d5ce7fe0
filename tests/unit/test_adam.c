/* adam_update() against Adam's definition in double; the recipe's schedules by hand. */
#include "base/random.h"
#include "kernels/adam.h"
#include "kernels/values.h"
#include "step/recipe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N = 37, STEPS = 8 };

/* Kingma and Ba, algorithm 1, after the part of the gradient along the values is removed. */
static void adam_by_definition(double value[N], double mean[N], double square[N],
                               const float gradient[N], double along, int64_t step,
                               const struct recipe *r)
{
    for (int i = 0; i < N; i++) {
        const double g = (double)gradient[i] - along * value[i];
        mean[i] = r->train.beta1 * mean[i] + (1 - r->train.beta1) * g;
        square[i] = r->train.beta2 * square[i] + (1 - r->train.beta2) * g * g;
        const double m = mean[i] / (1 - pow(r->train.beta1, (double)step + 1));
        const double v = square[i] / (1 - pow(r->train.beta2, (double)step + 1));
        value[i] -= r->train.learning_rate * m / (sqrt(v) + r->train.epsilon);
    }
}

static void check_adam(double beta1)
{
    const struct recipe recipe = {
        .steps = STEPS,
        .train = { .learning_rate = 0.01, .beta1 = beta1, .beta2 = 0.999, .epsilon = 1e-4 },
    };
    float value[N], mean[N] = {0}, square[N] = {0}, gradient[N];
    double want[N], want_mean[N] = {0}, want_square[N] = {0};

    for (int i = 0; i < N; i++)
        want[i] = value[i] = random_uniform(1, 0, (uint64_t)i);
    for (int64_t step = 0; step < STEPS; step++) {
        const struct adam adam = recipe_adam(&recipe, step);
        for (int i = 0; i < N; i++)
            gradient[i] = random_uniform(2, 0, (uint64_t)(step * N + i)) - 0.5f;
        adam_update(value, beta1 != 0 ? mean : NULL, square, gradient, 0.25f, N, &adam);
        adam_by_definition(want, want_mean, want_square, gradient, 0.25, step, &recipe);
        for (int i = 0; i < N; i++)
            assert_true(fabs((double)value[i] - want[i]) < 1e-6);
    }
}

static void follows_the_definition(void **state)
{
    (void)state;
    check_adam(0);
    check_adam(0.9);
}

static void scales_all_values(void **state)
{
    float x[N], want[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = (float)i;
        want[i] = (float)i * 0.5f;
    }
    values_scale(x, 0.5f, N);
    assert_memory_equal(x, want, sizeof x);
}

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-12);
}

/* 100 steps: the first 10 warm up, the last 20 fall. */
static void learning_rate_rises_and_falls(void **state)
{
    const struct recipe recipe = {
        .steps = 100, .train = { .learning_rate = 2, .warmup = 10, .decay = 0.2 },
    };

    (void)state;
    assert_near(recipe_rate(&recipe, 0), 0.2);
    assert_near(recipe_rate(&recipe, 5), 2 * 0.55);
    assert_near(recipe_rate(&recipe, 10), 2);
    assert_near(recipe_rate(&recipe, 80), 2);
    assert_near(recipe_rate(&recipe, 90), 1);
    assert_near(recipe_rate(&recipe, 99), 0.1);
}

static void penalty_grows(void **state)
{
    const struct recipe recipe = { .train = { .sparsity_warmup = 4 } }, at_once = {0};

    (void)state;
    assert_near(recipe_sparsity_share(&recipe, 0), 0);
    assert_near(recipe_sparsity_share(&recipe, 1), 0.25);
    assert_near(recipe_sparsity_share(&recipe, 9), 1);
    assert_near(recipe_sparsity_share(&at_once, 0), 1);
}

static void prefixes_cut_the_latents(void **state)
{
    double prefixes[] = { 0.1, 0.5, 1 };
    const struct recipe whole = {0}, nested = { .prefixes = 3, .train.prefixes = prefixes };

    (void)state;
    assert_int_equal(recipe_group(&whole, 30, 0).first, 0);
    assert_int_equal(recipe_group(&whole, 30, 0).end, 30);
    assert_int_equal(recipe_group(&nested, 30, 0).end, 3);
    assert_int_equal(recipe_group(&nested, 30, 1).first, 3);
    assert_int_equal(recipe_group(&nested, 30, 1).end, 15);
    assert_int_equal(recipe_group(&nested, 30, 2).end, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_definition),
        cmocka_unit_test(scales_all_values),
        cmocka_unit_test(learning_rate_rises_and_falls),
        cmocka_unit_test(penalty_grows),
        cmocka_unit_test(prefixes_cut_the_latents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
