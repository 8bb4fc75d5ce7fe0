/* Splicing autoencoders into a model: against the scores of the golden one, and against what
 * must hold for autoencoders that change nothing or everything. */
#include "base/allocate.h"
#include "evaluate/splice.h"
#include "shard/h5.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/golden.h"

static const char MODEL[] = "jobs/demo/tiny-gemma2";
static const char EXPECTED[] = "tests/golden/tiny-gemma2/expected.h5";
static const char SCORES[] = "tests/golden/tiny-gemma2/splice_res_1.json";
static const char SAE[] = "tests/golden/tiny-gemma2/splice_res_1.npz";
static const struct special_tokens SPECIAL = { .bos = 2, .eos = 1, .pad = 0 };

enum { SEQUENCES = 8, CONTEXT = 256, ROWS = SEQUENCES * CONTEXT };

static struct weights weights;
static int32_t        ids[ROWS];

static int read_model(void **state)
{
    struct lm_config config;
    hid_t file = -1;

    (void)state;
    assert_int_equal(config_read(&config, MODEL), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, MODEL, MPI_COMM_SELF), OK);
    assert_int_equal(h5_open(&file, EXPECTED), OK);
    golden_read(file, "splice_tokens", H5T_NATIVE_INT32, sizeof ids / sizeof *ids, ids);
    assert_int_equal(h5_close(&file, EXPECTED, OK), OK);
    return 0;
}

static int free_model(void **state)
{
    (void)state;
    weights_free(&weights);
    return 0;
}

/* The mean of a site's rows of text, in blocks of `block` sequences. */
static void take_mean(float *mean, struct splice *splice, struct tap tap, const int32_t *tokens,
                      int64_t sequences, int64_t block)
{
    const int32_t width = lm_site_width(&weights.config, tap.site);
    double *sum = allocate(width, sizeof *sum), texts = 0;

    for (int64_t s = 0; s < sequences; s += block) {
        assert_int_equal(splice_start(splice, tokens + s * CONTEXT, block), OK);
        splice_add_rows(splice, tap, sum);
        texts += (double)splice->texts;
    }
    for (int32_t i = 0; i < width; i++)
        mean[i] = (float)(sum[i] / texts);
    free(sum);
}

/* Scores of one autoencoder at `tap`; `mean` of the rows of text is also given out. */
static json_t *score(const struct sae *sae, struct tap tap, const int32_t *tokens,
                     int64_t sequences, int64_t block, float *mean)
{
    int64_t *fired = allocate(sae->latents, sizeof *fired);
    struct splice splice;
    struct score_sums sums;

    splice_make(&splice, &weights, SPECIAL, &(struct splice_capacity){ block, CONTEXT, 1,
                                                                   sae->latents, true });
    scores_sums_make(&sums, CONTEXT, 1);
    take_mean(mean, &splice, tap, tokens, sequences, block);
    for (int64_t s = 0; s < sequences; s += block) {
        assert_int_equal(splice_start(&splice, tokens + s * CONTEXT, block), OK);
        assert_int_equal(splice_score(&splice, &sums, &fired, (struct splice_place){ tap, tap },
                                      mean, sae, 1), OK);
    }
    json_t *scores = scores_json(&sums, 0, tap, fired, sae->latents);
    scores_sums_free(&sums);
    splice_free(&splice);
    free(fired);
    return scores;
}

static double number(const json_t *scores, const char *name)
{
    const json_t *value = json_object_get(scores, name);

    if (!json_is_number(value))
        fail_msg("there is no score %s", name);
    return json_number_value(value);
}

/* Every score that the reference gives, within 1e-4 of it. */
static void gives_the_scores_of_the_reference(void **state)
{
    const struct tap tap = { .site = SITE_RES, .layer = 1 };
    json_t *expected = json_load_file(SCORES, 0, NULL), *value;
    struct sae sae = {0};
    const char *name;
    float mean[256];

    (void)state;
    assert_int_equal(sae_read_npz(&sae, SAE), OK);
    json_t *scores = score(&sae, tap, ids, SEQUENCES, 4, mean);
    json_object_foreach(expected, name, value)
        if (json_is_number(value)) {
            const double e = json_number_value(value), got = number(scores, name);
            printf("    %-22s %.8g, relative error %.1g\n", name, got,
                   e == got ? 0 : fabs(got / e - 1));
            assert_true(fabs(got - e) <= 1e-4 * fabs(e));
        }
    json_decref(scores);
    sae_free(&sae);
    json_decref(expected);
}

/* Latents i and width + i are the positive and the negative part of value i. */
static void make_faithful(struct sae *sae, int32_t width)
{
    sae_make(sae, width, width, 2 * width);
    for (int64_t i = 0; i < width; i++) {
        sae->encoder[i * width + i] = sae->decoder[i * width + i] = 1;
        sae->encoder[(width + i) * width + i] = sae->decoder[(width + i) * width + i] = -1;
    }
}

/* An autoencoder that gives back what it gets costs nothing, at any site. */
static void a_faithful_autoencoder_changes_nothing(void **state)
{
    float mean[256];

    (void)state;
    for (enum site site = 0; site < SITES; site++) {
        const struct tap tap = { .site = site, .layer = 2 };
        struct sae sae = {0};

        make_faithful(&sae, lm_site_width(&weights.config, site));
        json_t *scores = score(&sae, tap, ids, 1, 1, mean);
        assert_true(number(scores, "delta_loss") == 0);
        assert_true(number(scores, "ce") < 4 && number(scores, "ce_zero") > number(scores, "ce"));
        assert_true(fabs(number(scores, "kl")) < 1e-6);
        assert_true(number(scores, "fvu") == 0);
        assert_true(fabs(number(scores, "cosine") - 1) < 1e-9);
        assert_true(fabs(number(scores, "l2_ratio") - 1) < 1e-9);
        assert_true(fabs(number(scores, "gamma") - 1) < 1e-9);
        assert_true(number(scores, "loss_recovered_zero") == 1);
        assert_true(fabs(number(scores, "l0") - sae.inputs) < 0.01);
        json_decref(scores);
        sae_free(&sae);
    }
}

/* One that gives the mean, or nothing, is the ablation itself. */
static void a_constant_autoencoder_is_an_ablation(void **state)
{
    const struct tap tap = { .site = SITE_MLP, .layer = 1 };
    struct sae sae = {0};
    float mean[256];
    json_t *scores;

    (void)state;
    sae_make(&sae, 256, 256, 4);
    scores = score(&sae, tap, ids, 1, 1, mean);
    assert_true(number(scores, "ce_spliced") == number(scores, "ce_zero"));
    assert_true(number(scores, "loss_recovered_zero") == 0);
    assert_true(number(scores, "never_active") == 4);
    assert_true(number(scores, "l0") == 0);
    json_decref(scores);
    memcpy(sae.decoder_bias, mean, sizeof mean);
    scores = score(&sae, tap, ids, 1, 1, mean);
    assert_true(number(scores, "ce_spliced") == number(scores, "ce_mean"));
    assert_true(number(scores, "loss_recovered_mean") == 0);
    assert_true(number(scores, "fvu") == 1);
    json_decref(scores);
    sae_free(&sae);
}

/* A sequence cut short by padding counts as far as it goes: everything else stays as if the
 * padding were not there, since no token sees what comes after it. */
static void padding_is_neither_replaced_nor_counted(void **state)
{
    enum { KEPT = 100 };
    const struct tap tap = { .site = SITE_RES, .layer = 0 };
    int32_t tokens[2 * CONTEXT];
    struct sae sae = {0};
    float mean[256];

    (void)state;
    memcpy(tokens, ids, sizeof tokens);
    for (int i = KEPT; i < CONTEXT; i++)
        tokens[i] = SPECIAL.pad;
    tokens[CONTEXT + 9] = SPECIAL.eos;
    assert_int_equal(sae_read_npz(&sae, SAE), OK);
    json_t *scores = score(&sae, tap, tokens, 2, 2, mean);
    assert_true(number(scores, "tokens") == KEPT - 1 + CONTEXT - 2);
    assert_true(number(scores, "predictions") == KEPT - 1 + CONTEXT - 1);
    for (int i = KEPT; i < CONTEXT; i++)
        tokens[i] = i % 2 == 0 ? SPECIAL.pad : SPECIAL.eos;
    json_t *other = score(&sae, tap, tokens, 2, 2, mean);
    assert_true(number(scores, "fvu") == number(other, "fvu"));
    assert_true(number(scores, "kl") == number(other, "kl"));
    json_decref(other);
    json_decref(scores);
    sae_free(&sae);
}

/* The spans of positions add up to the whole. */
static void positions_add_up(void **state)
{
    static const int64_t FIRST[] = { 0, 2, 4, 8, 16, 32, 64, 128 };
    const struct tap tap = { .site = SITE_RES, .layer = 1 };
    double tokens = 0, predictions = 0, l0 = 0, loss = 0;
    struct sae sae = {0};
    float mean[256];
    json_t *span;
    size_t i;

    (void)state;
    assert_int_equal(sae_read_npz(&sae, SAE), OK);
    json_t *scores = score(&sae, tap, ids, 2, 1, mean);
    json_t *spans = json_object_get(scores, "by_position");
    assert_int_equal(json_array_size(spans), sizeof FIRST / sizeof *FIRST);
    json_array_foreach(spans, i, span) {
        assert_true(number(span, "first") == (double)FIRST[i]);
        assert_true(number(span, "last") == (double)(i < 7 ? FIRST[i + 1] - 1 : CONTEXT - 1));
        tokens += number(span, "tokens");
        predictions += number(span, "predictions");
        l0 += number(span, "l0") * number(span, "tokens");
        loss += number(span, "ce_spliced") * number(span, "predictions");
    }
    assert_true(tokens == 2 * (CONTEXT - 1) && predictions == tokens);
    assert_true(fabs(l0 / tokens - number(scores, "l0")) < 1e-9);
    assert_true(fabs(loss / predictions - number(scores, "ce_spliced")) < 1e-9);
    json_decref(scores);
    sae_free(&sae);
}

/* The least frequency there can be, one row, lies in the first bin. */
static void the_histogram_begins_at_one_row(void **state)
{
    const int64_t fired[] = { 1 };
    struct score_sums sums;

    (void)state;
    scores_sums_make(&sums, CONTEXT, 1);
    scores_sums_of_model(&sums, 0)[MODEL_ROWS] = 600;
    json_t *scores = scores_json(&sums, 0, (struct tap){ SITE_RES, 0 }, fired, 1);
    const json_t *histogram = json_object_get(scores, "frequency_histogram");
    const json_t *edges = json_object_get(histogram, "edges");
    assert_true(json_number_value(json_array_get(edges, 0)) <= log10(1 / 600.0));
    assert_true(json_number_value(json_array_get(edges, 1)) > log10(1 / 600.0));
    assert_int_equal(json_integer_value(json_array_get(json_object_get(histogram, "counts"), 0)),
                     1);
    json_decref(scores);
    scores_sums_free(&sums);
}

/* Worked by hand for 1000 rows, four bins a decade. */
static void counts_latents_by_their_frequency(void **state)
{
    const int64_t fired[] = { 0, 1, 2, 100, 101, 1000, 0 };
    const struct {
        int bin;
        int64_t latents;
    } expected[] = { { 0, 1 }, { 1, 1 }, { 8, 2 }, { 11, 1 } };
    struct score_sums sums;
    int64_t all = 0;

    (void)state;
    scores_sums_make(&sums, CONTEXT, 1);
    scores_sums_of_model(&sums, 3)[MODEL_ROWS] = 1000;
    json_t *scores = scores_json(&sums, 0, (struct tap){ SITE_RES, 0 }, fired, 7);
    const json_t *histogram = json_object_get(scores, "frequency_histogram");
    const json_t *edges = json_object_get(histogram, "edges");
    const json_t *counts = json_object_get(histogram, "counts");
    assert_int_equal(json_array_size(edges), 13);
    assert_int_equal(json_array_size(counts), 12);
    assert_true(json_number_value(json_array_get(edges, 0)) == -3);
    assert_true(json_number_value(json_array_get(edges, 12)) == 0);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(json_integer_value(json_array_get(counts, (size_t)expected[i].bin)),
                         expected[i].latents);
    for (size_t i = 0; i < 12; i++)
        all += json_integer_value(json_array_get(counts, i));
    assert_int_equal(all, 5);
    assert_true(number(scores, "never_active") == 2);
    assert_true(number(scores, "dense_above_10_percent") == 2);
    assert_true(json_is_null(json_object_get(scores, "ce")));
    json_decref(scores);
    scores_sums_free(&sums);
}

static void gives_the_same_scores_on_any_number_of_threads(void **state)
{
    const struct tap tap = { .site = SITE_ATTN, .layer = 1 };
    struct sae sae = {0};
    float mean[256];

    (void)state;
    assert_int_equal(sae_read_npz(&sae, SAE), OK);
    omp_set_num_threads(1);
    json_t *one = score(&sae, tap, ids, 1, 1, mean);
    omp_set_num_threads(3);
    json_t *three = score(&sae, tap, ids, 1, 1, mean);
    assert_true(json_equal(one, three));
    json_decref(three);
    json_decref(one);
    sae_free(&sae);
}

static void refuses_an_autoencoder_for_another_width(void **state)
{
    struct splice splice;
    struct score_sums sums;
    struct sae sae = {0};
    float mean[256] = {0};
    int64_t fired[8] = {0}, *counts = fired;

    (void)state;
    sae_make(&sae, 255, 255, 8);
    scores_sums_make(&sums, CONTEXT, 1);
    splice_make(&splice, &weights, SPECIAL, &(struct splice_capacity){ 1, CONTEXT, 1, 8, false });
    assert_int_equal(splice_start(&splice, ids, 1), OK);
    assert_int_equal(splice_score(&splice, &sums, &counts, (struct splice_place){ { SITE_RES, 0 },
                                  { SITE_RES, 0 } }, mean, &sae, 1), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "255"));
    refuse_clear();
    splice_free(&splice);
    scores_sums_free(&sums);
    sae_free(&sae);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_scores_of_the_reference),
        cmocka_unit_test(a_faithful_autoencoder_changes_nothing),
        cmocka_unit_test(a_constant_autoencoder_is_an_ablation),
        cmocka_unit_test(padding_is_neither_replaced_nor_counted),
        cmocka_unit_test(positions_add_up),
        cmocka_unit_test(counts_latents_by_their_frequency),
        cmocka_unit_test(the_histogram_begins_at_one_row),
        cmocka_unit_test(gives_the_same_scores_on_any_number_of_threads),
        cmocka_unit_test(refuses_an_autoencoder_for_another_width),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, read_model, free_model);
    MPI_Finalize();
    return failed;
}
