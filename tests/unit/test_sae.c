/* An autoencoder by its definition, and the fold from training's units to raw ones. */
#include "base/allocate.h"
#include "base/random.h"
#include "sae/sae.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { D = 19, F = 45, ROWS = 23 };

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 2 * random_uniform(seed, 0, (uint64_t)i) - 1;
}

/* Random parameters with every kind of threshold, one below 0 among them. */
static void make_random(struct sae *sae)
{
    sae_make(sae, D, D, F);
    fill(sae->encoder, D * F, 1);
    fill(sae->decoder, D * F, 2);
    fill(sae->encoder_bias, F, 3);
    fill(sae->decoder_bias, D, 4);
    fill(sae->threshold, F, 5);
    for (int i = 0; i < F; i++)
        sae->threshold[i] = fabsf(sae->threshold[i]);
    sae->threshold[7] = -0.5f;
}

/* f and y of one row, in double.  With `centre` the encoder sees x - b_dec, as in training. */
static void by_definition(double f[F], double y[D], const struct sae *sae, const double x[D],
                          bool centre)
{
    for (int k = 0; k < D; k++)
        y[k] = (double)sae->decoder_bias[k];
    for (int i = 0; i < F; i++) {
        double pi = (double)sae->encoder_bias[i];
        for (int k = 0; k < D; k++)
            pi += (double)sae->encoder[i * D + k]
                  * (x[k] - (centre ? (double)sae->decoder_bias[k] : 0));
        f[i] = pi > fmax((double)sae->threshold[i], 0) ? pi : 0;
        for (int k = 0; k < D; k++)
            y[k] += f[i] * (double)sae->decoder[i * D + k];
    }
}

static void encodes_and_decodes_by_the_definition(void **state)
{
    struct sae sae;
    float x[ROWS * D], f[ROWS * F], y[ROWS * D];
    double row[D], want_f[F], want_y[D];
    int active = 0;

    (void)state;
    make_random(&sae);
    fill(x, ROWS * D, 6);
    sae_encode(&sae, f, x, ROWS);
    sae_decode(&sae, y, f, x, ROWS);
    for (int r = 0; r < ROWS; r++) {
        for (int k = 0; k < D; k++)
            row[k] = (double)x[r * D + k];
        by_definition(want_f, want_y, &sae, row, false);
        for (int i = 0; i < F; i++) {
            assert_true(fabs((double)f[r * F + i] - want_f[i]) < 1e-5);
            active += want_f[i] > 0;
        }
        for (int k = 0; k < D; k++)
            assert_true(fabs((double)y[r * D + k] - want_y[k]) < 1e-4);
    }
    assert_in_range(active, ROWS * F / 10, ROWS * F * 9 / 10);
    sae_free(&sae);
}

/* scale * y(x / scale) before the fold is y(x) after it, and so for f. */
static void folds_to_raw_units(void **state)
{
    const double scale = 23.5;
    struct sae sae;
    double x[D], small[D], f[F], y[D], folded_f[F], folded_y[D];

    (void)state;
    for (int r = 0; r < ROWS; r++) {
        make_random(&sae);
        for (int k = 0; k < D; k++) {
            x[k] = scale * (2 * (double)random_uniform(7, 0, (uint64_t)(r * D + k)) - 1);
            small[k] = x[k] / scale;
        }
        by_definition(f, y, &sae, small, true);
        sae_fold(&sae, (struct sae_units){ scale, scale, true });
        by_definition(folded_f, folded_y, &sae, x, false);
        for (int i = 0; i < F; i++)
            assert_true(fabs(scale * f[i] - folded_f[i]) < 1e-5 * scale);
        for (int k = 0; k < D; k++)
            assert_true(fabs(scale * y[k] - folded_y[k]) < 1e-4 * scale);
        sae_free(&sae);
    }
}

/* Others compare pi with the threshold and do not clip. */
static void leaves_no_threshold_below_0(void **state)
{
    struct sae sae;

    (void)state;
    make_random(&sae);
    assert_true(sae.threshold[7] < 0);
    sae_fold(&sae, (struct sae_units){ 3, 3, false });
    for (int i = 0; i < F; i++)
        assert_true(sae.threshold[i] >= 0);
    sae_free(&sae);
}

/* The three largest of each row, by sorting. */
static void keeps_the_largest(void **state)
{
    enum { KEEP = 3 };
    struct sae sae;
    float x[ROWS * D], all[ROWS * F], f[ROWS * F];

    (void)state;
    make_random(&sae);
    fill(x, ROWS * D, 6);
    memcpy(sae.encoder + 9 * D, sae.encoder + 4 * D, D * sizeof(float));    /* a tie */
    sae.encoder_bias[9] = sae.encoder_bias[4];
    sae.threshold[9] = sae.threshold[4];
    sae_encode(&sae, all, x, ROWS);
    sae.keep = KEEP;
    sae_encode(&sae, f, x, ROWS);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < F; i++) {
            int better = 0;
            for (int j = 0; j < F; j++)
                better += all[r * F + j] > all[r * F + i]
                          || (all[r * F + j] >= all[r * F + i] && j < i);
            assert_true(f[r * F + i] == (better < KEEP ? all[r * F + i] : 0));
        }
    sae_free(&sae);
}

/* What a transcoder reconstructs has a scale and a width of its own. */
static void folds_a_transcoder(void **state)
{
    enum { OUT = 7 };
    const struct sae_units units = { 3, 5, false };
    struct sae sae;
    float x[D], raw[D], f[F], y[OUT], folded_f[F], folded_y[OUT];

    (void)state;
    sae_make(&sae, D, OUT, F);
    sae.skip = allocate(OUT * D, sizeof *sae.skip);
    fill(sae.encoder, D * F, 1);
    fill(sae.decoder, OUT * F, 2);
    fill(sae.encoder_bias, F, 3);
    fill(sae.decoder_bias, OUT, 4);
    fill(sae.skip, OUT * D, 5);
    fill(x, D, 6);
    for (int k = 0; k < D; k++)
        raw[k] = 3 * x[k];
    sae_encode(&sae, f, x, 1);
    sae_decode(&sae, y, f, x, 1);
    for (int k = 0; k < OUT; k++) {     /* by definition */
        double want = (double)sae.decoder_bias[k];
        for (int i = 0; i < F; i++)
            want += (double)f[i] * (double)sae.decoder[i * OUT + k];
        for (int j = 0; j < D; j++)
            want += (double)x[j] * (double)sae.skip[k * D + j];
        assert_true(fabs((double)y[k] - want) < 1e-4);
    }
    sae_fold(&sae, units);
    sae_encode(&sae, folded_f, raw, 1);
    sae_decode(&sae, folded_y, folded_f, raw, 1);
    for (int k = 0; k < OUT; k++)
        assert_true(fabsf(folded_y[k] - 5 * y[k]) < 1e-3f);
    sae_free(&sae);
}

static void gives_the_same_bits_on_any_number_of_threads(void **state)
{
    struct sae sae;
    float x[ROWS * D], f[2][ROWS * F], y[2][ROWS * D];

    (void)state;
    make_random(&sae);
    fill(x, ROWS * D, 8);
    for (int t = 0; t < 2; t++) {
        omp_set_num_threads(1 + t);
        sae_encode(&sae, f[t], x, ROWS);
        sae_decode(&sae, y[t], f[t], x, ROWS);
    }
    assert_memory_equal(f[0], f[1], sizeof f[0]);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    sae_free(&sae);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes_by_the_definition),
        cmocka_unit_test(folds_to_raw_units),
        cmocka_unit_test(leaves_no_threshold_below_0),
        cmocka_unit_test(keeps_the_largest),
        cmocka_unit_test(folds_a_transcoder),
        cmocka_unit_test(gives_the_same_bits_on_any_number_of_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
