/* The forward pass against other people's code, and against itself however it is run. */
#include "base/allocate.h"
#include "base/file.h"
#include "lm/families.h"
#include "lm/forward.h"
#include "lm/head.h"
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

/* A model and what the reference gives for its tokens (tests/golden/README.md). */
struct golden {
    const char *model, *expected;
    int64_t     sequences, context;
};

static const struct golden RANDOM = {
    "tests/golden/gemma2-random", "tests/golden/gemma2-random/expected.h5", 3, 48,
};
static const struct golden GEMMA1 = {
    "tests/golden/gemma1-random", "tests/golden/gemma1-random/expected.h5", 3, 48,
};
static const struct golden GEMMA3 = {
    "tests/golden/gemma3-random", "tests/golden/gemma3-random/expected.h5", 3, 48,
};
static const struct golden GPT2 = {
    "tests/golden/gpt2-random", "tests/golden/gpt2-random/expected.h5", 3, 48,
};
static const struct golden LLAMA = {
    "tests/golden/llama3-random", "tests/golden/llama3-random/expected.h5", 2, 80,
};
static const struct golden MISTRAL = {
    "tests/golden/mistral-random", "tests/golden/mistral-random/expected.h5", 2, 48,
};
static const struct golden QWEN2 = {
    "tests/golden/qwen2-random", "tests/golden/qwen2-random/expected.h5", 2, 48,
};
static const struct golden QWEN3 = {
    "tests/golden/qwen3-random", "tests/golden/qwen3-random/expected.h5", 2, 48,
};
static const struct golden NEOX = {
    "tests/golden/gpt-neox-random", "tests/golden/gpt-neox-random/expected.h5", 2, 48,
};
static const struct golden OLMO2 = {
    "tests/golden/olmo2-random", "tests/golden/olmo2-random/expected.h5", 2, 48,
};
static const struct golden PHI3 = {
    "tests/golden/phi3-random", "tests/golden/phi3-random/expected.h5", 2, 48,
};
static const struct golden TINY = {
    "jobs/demo/tiny-gemma2", "tests/golden/tiny-gemma2/expected.h5", 2, 256,
};

static const double TOLERANCE = 2e-5;

/* Everything a test of one model needs. */
struct fixture {
    struct weights weights;
    struct forward forward;
    hid_t          file;
    int32_t       *ids;
    int64_t        rows;
};

static void set_up_in(enum precision precision, struct fixture *f, const struct golden *golden)
{
    struct lm_config config;

    *f = (struct fixture){ .rows = golden->sequences * golden->context };
    assert_int_equal(config_read(&config, golden->model), OK);
    assert_int_equal(weights_read(&f->weights, &config, precision, golden->model,
                                  MPI_COMM_SELF), OK);
    forward_make(&f->forward, &f->weights, golden->sequences, golden->context);
    assert_int_equal(h5_open(&f->file, golden->expected), OK);
    f->ids = allocate(f->rows, sizeof *f->ids);
    golden_read(f->file, "tokens", H5T_NATIVE_INT32, f->rows, f->ids);
}

static void set_up(struct fixture *f, const struct golden *golden)
{
    set_up_in(PRECISION_F32, f, golden);
}

static void tear_down(struct fixture *f, const struct golden *golden)
{
    free(f->ids);
    assert_int_equal(h5_close(&f->file, golden->expected, OK), OK);
    forward_free(&f->forward);
    weights_free(&f->weights);
}

static void check_equal(const struct fixture *f, const char *name, const float *values,
                        int64_t count)
{
    golden_check(f->file, name, values, count, TOLERANCE);
}

/* Walk through the model and compare what lies open at each site. */
static void check_sites(struct fixture *f, int64_t sequences, double tolerance)
{
    static const char *const NAMES[SITES] = {
        [SITE_ATTN] = "attn", [SITE_MLP_IN] = "mlp_in", [SITE_MLP] = "mlp", [SITE_RES] = "resid",
    };
    char name[32];

    assert_int_equal(forward_start(&f->forward, f->ids, sequences), OK);
    while (site_tap_step(f->forward.tap) < site_tap_step(forward_end(&f->forward))) {
        forward_next(&f->forward);
        const struct tap tap = f->forward.tap;
        snprintf(name, sizeof name, "%s.%d", NAMES[tap.site], tap.layer);
        if (tap.site == SITE_MLP_IN && H5Lexists(f->file, name, H5P_DEFAULT) == 0)
            continue;       /* some references do not have it */
        golden_check(f->file, name, f->forward.values, f->rows * f->forward.width, tolerance);
    }
}

/* The reference has no loss for a sequence's last token. */
static void check_losses(struct fixture *f, const struct golden *golden)
{
    const int64_t context = golden->context;
    float *loss = allocate(f->rows, sizeof *loss);
    int32_t *next = allocate(f->rows, sizeof *next);
    struct head head;

    head_make(&head, &f->weights);
    head_next(next, f->ids, golden->sequences, context);
    head_score(&head, &(struct head_task){ .stream = f->forward.values, .loss = loss }, 1, next,
               f->rows);
    for (int64_t s = 0; s < golden->sequences; s++) {
        assert_true(loss[(s + 1) * context - 1] == 0);
        memmove(loss + s * (context - 1), loss + s * context,
                (size_t)(context - 1) * sizeof *loss);
    }
    check_equal(f, "loss_per_token", loss, golden->sequences * (context - 1));
    head_free(&head);
    free(next);
    free(loss);
}

static void check_logits(struct fixture *f)
{
    const int64_t count = f->rows * f->weights.config.vocabulary;
    float *logits = allocate(count, sizeof *logits);
    struct head head;

    head_make(&head, &f->weights);
    assert_true(head.tile >= f->rows);
    head_logits(&head, logits, f->forward.values, f->rows);
    check_equal(f, "logits", logits, count);
    head_free(&head);
    free(logits);
}

/* The references, one at least for each family. */
static const struct golden *const REFERENCES[] = {
    &GEMMA1, &RANDOM, &GEMMA3, &GPT2, &LLAMA, &MISTRAL, &QWEN2, &QWEN3, &NEOX, &OLMO2, &PHI3,
};

enum { REFERENCES_COUNT = sizeof REFERENCES / sizeof *REFERENCES };

static void agrees_with_every_reference(void **state)
{
    struct fixture f;

    (void)state;
    for (int i = 0; i < REFERENCES_COUNT; i++) {
        printf("    %s\n", REFERENCES[i]->model);
        set_up(&f, REFERENCES[i]);
        check_sites(&f, REFERENCES[i]->sequences, TOLERANCE);
        check_losses(&f, REFERENCES[i]);
        check_logits(&f);
        tear_down(&f, REFERENCES[i]);
    }
}

static void every_family_has_a_reference(void **state)
{
    const struct family *family;
    struct lm_config config;

    (void)state;
    for (int i = 0; (family = families_at(i)) != NULL; i++) {
        bool found = false;
        for (int r = 0; r < REFERENCES_COUNT; r++) {
            assert_int_equal(config_read(&config, REFERENCES[r]->model), OK);
            found |= config.family == family;
        }
        if (!found)
            fail_msg("no reference is of the family %s", family->name);
    }
}

static void agrees_with_the_reference_on_the_demo_model(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, &TINY);
    check_sites(&f, TINY.sequences, TOLERANCE);
    check_losses(&f, &TINY);
    tear_down(&f, &TINY);
}

/* Run to the end; the last residual stream is the caller's to free. */
static float *run_to_end(struct fixture *f)
{
    const int64_t count = f->rows * f->weights.config.width;
    float *stream = allocate(count, sizeof *stream);

    forward_to(&f->forward, forward_end(&f->forward));
    memcpy(stream, f->forward.values, (size_t)count * sizeof *stream);
    return stream;
}

static void check_threads(enum precision precision, const struct golden *golden)
{
    struct fixture f;
    float *one, *many;

    omp_set_num_threads(3);
    set_up_in(precision, &f, golden);
    for (int threads = 2; threads <= 3; threads++) {
        omp_set_num_threads(1);
        assert_int_equal(forward_start(&f.forward, f.ids, golden->sequences), OK);
        one = run_to_end(&f);
        omp_set_num_threads(threads);
        assert_int_equal(forward_start(&f.forward, f.ids, golden->sequences), OK);
        many = run_to_end(&f);
        assert_memory_equal(one, many, (size_t)(f.rows * f.weights.config.width) * sizeof *one);
        free(many);
        free(one);
    }
    tear_down(&f, golden);
}

static void gives_the_same_bits_on_any_number_of_threads(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++)
        for (int i = 0; linear_offers((enum precision)p) && i < REFERENCES_COUNT; i++)
            check_threads((enum precision)p, REFERENCES[i]);
    check_threads(PRECISION_F32, &TINY);
}

/* From a state kept at any site of a middle layer the same bits come out as in one go, also
 * after something else was spliced in; and what is spliced in does change them. */
static void check_going_on(const struct golden *golden)
{
    struct fixture f;
    float *whole, *again;

    set_up(&f, golden);
    const size_t bytes = (size_t)(f.rows * f.weights.config.width) * sizeof *whole;
    assert_int_equal(forward_start(&f.forward, f.ids, golden->sequences), OK);
    whole = run_to_end(&f);
    for (enum site site = 0; site < SITES; site++) {
        const struct tap tap = { .site = site, .layer = 1 };
        struct forward_state kept;

        forward_state_make(&kept, &f.forward, tap);
        assert_int_equal(forward_start(&f.forward, f.ids, golden->sequences), OK);
        forward_to(&f.forward, tap);
        forward_save(&f.forward, &kept);
        memset(f.forward.values, 0, (size_t)f.rows * (size_t)f.forward.width * sizeof *whole);
        again = run_to_end(&f);
        assert_memory_not_equal(whole, again, bytes);
        free(again);
        forward_load(&f.forward, &kept);
        again = run_to_end(&f);
        assert_memory_equal(whole, again, bytes);
        free(again);
        forward_state_free(&kept);
    }
    free(whole);
    tear_down(&f, golden);
}

static void goes_on_from_the_middle_with_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < REFERENCES_COUNT; i++)
        check_going_on(REFERENCES[i]);
    check_going_on(&TINY);
}

/* The divergence of a model from itself is 0, and from another stream it is what its
 * definition gives in double. */
static void divergence_follows_its_definition(void **state)
{
    struct fixture f;
    struct head head;
    enum { ROWS = 5 };
    float loss[2][ROWS], kl[2][ROWS];
    const int32_t next[ROWS] = { 7, -1, 0, 511, 3 };

    (void)state;
    set_up(&f, &RANDOM);
    head_make(&head, &f.weights);
    const int32_t words = f.weights.config.vocabulary;
    assert_int_equal(forward_start(&f.forward, f.ids, RANDOM.sequences), OK);
    const float *p = f.forward.residual, *q = p + ROWS * f.weights.config.width;
    head_score(&head, (struct head_task[]){ { p, loss[0], kl[0] }, { q, loss[1], kl[1] } }, 2,
               next, ROWS);
    float *logits = allocate(2 * ROWS * words, sizeof *logits);
    head_logits(&head, logits, p, ROWS);
    head_logits(&head, logits + ROWS * words, q, ROWS);
    for (int r = 0; r < ROWS; r++) {
        const float *a = logits + r * words, *b = logits + (ROWS + r) * words;
        double a_sum = 0, b_sum = 0, divergence = 0;
        for (int i = 0; i < words; i++) {
            a_sum += exp((double)a[i]);
            b_sum += exp((double)b[i]);
        }
        for (int i = 0; i < words; i++)
            divergence += exp((double)a[i]) / a_sum
                        * ((double)a[i] - log(a_sum) - (double)b[i] + log(b_sum));
        assert_true(fabs((double)kl[0][r]) < 1e-6);
        assert_true(fabs((double)kl[1][r] / divergence - 1) < 1e-5);
        const double expected = next[r] < 0 ? 0 : log(b_sum) - (double)b[next[r]];
        assert_true(fabs((double)loss[1][r] - expected) < 1e-5);
    }
    free(logits);
    head_free(&head);
    tear_down(&f, &RANDOM);
}

static void refuses_ids_and_contexts_the_model_does_not_have(void **state)
{
    struct fixture f;
    struct forward longer;

    (void)state;
    set_up(&f, &RANDOM);
    for (int32_t bad = -1; bad <= 512; bad += 513) {
        f.ids[50] = bad;
        assert_int_equal(forward_start(&f.forward, f.ids, RANDOM.sequences), E_FORMAT);
        assert_non_null(strstr(refuse_reason(), "vocabulary of 512"));
        refuse_clear();
    }
    forward_make(&longer, &f.weights, 1, 257);
    assert_int_equal(forward_start(&longer, f.ids, 1), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "257"));
    refuse_clear();
    forward_free(&longer);
    tear_down(&f, &RANDOM);
}

/* The mean of the reference's losses, and of ours. */
static double mean_loss(const struct fixture *f, const struct golden *golden)
{
    float *loss = allocate(f->rows, sizeof *loss);
    int32_t *next = allocate(f->rows, sizeof *next);
    struct head head;
    double sum = 0;

    head_make(&head, &f->weights);
    head_next(next, f->ids, golden->sequences, golden->context);
    head_score(&head, &(struct head_task){ .stream = f->forward.values, .loss = loss }, 1, next,
               f->rows);
    for (int64_t r = 0; r < f->rows; r++)
        sum += (double)loss[r];
    head_free(&head);
    free(next);
    free(loss);
    return sum / (double)(golden->sequences * (golden->context - 1));
}

/* Rounding the inputs of the products moves activations of random models by less than 5 % of their
 * norm, those of a trained one by less than 2 %, and its mean loss (2.81368 nats by the reference)
 * by less than 0.01. */
static void stays_near_the_reference_in_bf16(void **state)
{
    struct fixture f;

    (void)state;
    if (!linear_offers(PRECISION_BF16))
        skip();
    for (int i = 0; i < REFERENCES_COUNT; i++) {
        printf("    %s\n", REFERENCES[i]->model);
        set_up_in(PRECISION_BF16, &f, REFERENCES[i]);
        check_sites(&f, REFERENCES[i]->sequences, 0.05);
        tear_down(&f, REFERENCES[i]);
    }
    set_up_in(PRECISION_BF16, &f, &TINY);
    check_sites(&f, TINY.sequences, 0.02);
    printf("    mean loss %.5f\n", mean_loss(&f, &TINY));
    assert_true(fabs(mean_loss(&f, &TINY) - 2.81368) < 0.01);
    tear_down(&f, &TINY);
}

/* Qwen3 0.6B as it was published: 596,049,920 parameters, and 440,401,920 of them in the matrices
 * of its 28 layers.  A token that sees itself alone takes two operations for each of
 * these, and four for each of the 2048 values of a layer's heads. */
static void counts_what_a_published_model_has(void **state)
{
    const struct tap last = { .site = SITE_RES, .layer = 27 };
    struct lm_config c;

    (void)state;
    assert_int_equal(config_read(&c, "jobs/models/qwen3-0.6b"), OK);
    assert_int_equal(weights_bytes(&c, PRECISION_F32), 4 * INT64_C(596049920));
    assert_true(forward_work(&c, last, 1) == 2 * 440401920.0 + 28 * 4 * 2048);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_every_reference),
        cmocka_unit_test(every_family_has_a_reference),
        cmocka_unit_test(agrees_with_the_reference_on_the_demo_model),
        cmocka_unit_test(gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(goes_on_from_the_middle_with_the_same_bits),
        cmocka_unit_test(stays_near_the_reference_in_bf16),
        cmocka_unit_test(divergence_follows_its_definition),
        cmocka_unit_test(refuses_ids_and_contexts_the_model_does_not_have),
        cmocka_unit_test(counts_what_a_published_model_has),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
