/* A small planted dictionary, 64 unit vectors in 48 dimensions, two in a row, is recovered by
 * every architecture that looks for one direction a latent.  tests/bench/bench_planted.c has
 * the large one. */
#include "tests/planted.h"
#include "tests/sanitized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* In LONG steps they recover it; fewer steps only execute all there is to see. */
enum { INPUTS = 48, ATOMS = 64, ACTIVE = 2, LONG = 1000, STEPS = SANITIZED(200, LONG) };

static const struct recipe RECIPE = {
    .steps = STEPS,
    .train = { .batch = 256, .learning_rate = 1e-2, .warmup = 100, .decay = 0.3,
               .sparsity_warmup = 800, .bandwidth = 0.1, .threshold = 0.2, .beta2 = 0.999,
               .epsilon = 1e-8, .dead_after = 5000, .auxk = 0.1, .auxk_latents = 64, .seed = 1 },
};

static void assert_recovers(enum architecture_id architecture, struct recipe recipe)
{
    struct planted planted;

    recipe.architecture = architecture;
    planted_make(&planted, INPUTS, ATOMS, ACTIVE);
    const struct planted_result result = planted_train(&planted, &recipe, ATOMS);
    free(planted.atom);
    print_message("    %-12s %5.1f %% recovered, FVU %.3f, L0 %.2f\n",
                  ARCHITECTURES[architecture].name, 100 * result.recovered, result.fvu, result.l0);
    assert_true(result.fvu < 1);
    assert_true((int)STEPS < (int)LONG
                || (result.recovered >= 0.9 && result.l0 > 0.8 * ACTIVE
                    && result.l0 < 1.5 * ACTIVE));
}

static void those_with_a_penalty(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.sparsity = 0.06;
    assert_recovers(ARCHITECTURE_JUMPRELU, recipe);
    recipe.sparsity = 0.5;
    assert_recovers(ARCHITECTURE_GATED, recipe);
    recipe.sparsity = 0.3;
    assert_recovers(ARCHITECTURE_RELU_L1, recipe);
}

static void those_that_keep_k(void **state)
{
    struct recipe recipe = RECIPE;

    (void)state;
    recipe.target_l0 = ACTIVE;
    recipe.train.learning_rate = 3e-3;
    assert_recovers(ARCHITECTURE_TOPK, recipe);
    recipe.train.learning_rate = 6e-3;
    assert_recovers(ARCHITECTURE_BATCH_TOPK, recipe);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_with_a_penalty),
        cmocka_unit_test(those_that_keep_k),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
