/* Latents clamped in rows, against hand-made numbers, and while a model runs. */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "intervene/clamp.h"
#include "suite/schema.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 3, LATENTS = 4, ROWS = 3 };

/* Latent i reads and writes value i; latent 3 writes 2 of value 0 and 1 of value 1, and reads value
 * 2. */
static void make_sae(struct sae *sae)
{
    sae_make(sae, WIDTH, WIDTH, LATENTS);
    for (int i = 0; i < WIDTH; i++)
        sae->encoder[i * WIDTH + i] = sae->decoder[i * WIDTH + i] = 1;
    sae->encoder[3 * WIDTH + 2] = 1;
    sae->decoder[3 * WIDTH] = 2;
    sae->decoder[3 * WIDTH + 1] = 1;
    sae->decoder_bias[0] = 0.5f;
    sae->threshold[0] = 1;
}

/* In the first row latent 0 is active, in the second none of 0 and 3, in the third both. */
static const float X[ROWS * WIDTH] = { 2, -1, -3, 0.75f, 5, -1, 4, 1, 2 };

/* Clamp latents 3 and 0, in this order. */
static void clamp(float x[ROWS * WIDTH], enum clamp_kind kind, double strength)
{
    static const int32_t CHOSEN[] = { 3, 0 };
    struct sae sae;
    float f[ROWS * LATENTS];

    make_sae(&sae);
    memcpy(x, X, sizeof X);
    sae_encode(&sae, f, x, ROWS);
    clamp_rows(&(struct clamp){ kind, strength, &sae, CHOSEN, 2 }, x, f, ROWS);
    sae_free(&sae);
}

static void check(const float *x, const float *expected)
{
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_float_equal(x[i], expected[i], 1e-6);
}

/* -10 in place of 2, then of 2 and 4: the first row loses 12 of latent 0; the third 12 of latent 3,
 * (2, 1, 0), and 14 of latent 0. */
static void a_value_is_the_same_wherever_a_latent_fires(void **state)
{
    static const float EXPECTED[] = { -10, -1, -3, 0.75f, 5, -1, 4 - 24 - 14, 1 - 12, 2 };
    float x[ROWS * WIDTH];

    (void)state;
    clamp(x, CLAMP_VALUE, 10);
    check(x, EXPECTED);
}

/* Half of each value is taken away. */
static void a_scale_leaves_a_share_of_the_value(void **state)
{
    static const float EXPECTED[] = { 1, -1, -3, 0.75f, 5, -1, 4 - 2 - 2, 1 - 1, 2 };
    float x[ROWS * WIDTH];

    (void)state;
    clamp(x, CLAMP_SCALE, 0.5);
    check(x, EXPECTED);
}

/* The third row's part along (2, 1, 0) is 9/5 of it; without it the row is (0.4, -0.8, 2), and then
 * value 0 is taken away. */
static void a_projection_takes_the_row_s_own_part(void **state)
{
    static const float EXPECTED[] = { 0, -1, -3, 0.75f, 5, -1, 0, -0.8f, 2 };
    float x[ROWS * WIDTH];

    (void)state;
    clamp(x, CLAMP_PROJECTION, 1);
    check(x, EXPECTED);
}

/* Value 0 of the second row is below its threshold. */
static void a_row_on_which_latents_are_silent_keeps_its_bits(void **state)
{
    float x[ROWS * WIDTH];

    (void)state;
    for (enum clamp_kind kind = 0; kind < CLAMPS; kind++) {
        if (clamp_steers(kind))
            continue;
        clamp(x, kind, 3);
        assert_memory_equal(x + WIDTH, X + WIDTH, WIDTH * sizeof *x);
    }
}

/* Every row loses 5 times (2, 1, 0) / sqrt 5, and 5 of value 0. */
static void steering_changes_every_row(void **state)
{
    static const enum clamp_kind KINDS[] = { CLAMP_STEER, CLAMP_MEAN_DIFFERENCE };
    const float root = sqrtf(5);
    float x[ROWS * WIDTH], expected[ROWS * WIDTH];

    (void)state;
    for (int r = 0; r < ROWS; r++) {
        expected[r * WIDTH] = X[r * WIDTH] - 2 * root - 5;
        expected[r * WIDTH + 1] = X[r * WIDTH + 1] - root;
        expected[r * WIDTH + 2] = X[r * WIDTH + 2];
    }
    for (int i = 0; i < 2; i++) {
        clamp(x, KINDS[i], 5);
        check(x, expected);
    }
}

/* The suite file has them in the order of the enumeration. */
static void kinds_have_the_words_of_the_suite_file(void **state)
{
    char words[128] = "";

    (void)state;
    for (enum clamp_kind kind = 0; kind < CLAMPS; kind++) {
        strcat(words, kind > 0 ? " " : "");
        strcat(words, clamp_name(kind));
    }
    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        if (strcmp(SUITE_KEYS[k].name, "clamp") == 0)
            assert_string_equal(SUITE_KEYS[k].words, words);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_the_same_wherever_a_latent_fires),
        cmocka_unit_test(a_scale_leaves_a_share_of_the_value),
        cmocka_unit_test(a_projection_takes_the_row_s_own_part),
        cmocka_unit_test(a_row_on_which_latents_are_silent_keeps_its_bits),
        cmocka_unit_test(steering_changes_every_row),
        cmocka_unit_test(kinds_have_the_words_of_the_suite_file),
    };

    (void)argc;
    blas_core_settle(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
