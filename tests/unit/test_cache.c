/* The forward pass token by token: against other people's code, and against itself, whatever else
 * is in a step. */
#include "base/allocate.h"
#include "base/refuse.h"
#include "lm/families.h"
#include "lm/forward.h"
#include "lm/head.h"
#include "shard/h5.h"

#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/golden.h"
#include "tests/sanitized.h"

/* A model of every family, with the values of a reference (tests/golden/README.md). */
static const struct golden {
    const char *model;
    int64_t     sequences, context;
} REFERENCES[] = {
    { "tests/golden/gemma1-random", 3, 48 }, { "tests/golden/gemma2-random", 3, 48 },
    { "tests/golden/gemma3-random", 3, 48 }, { "tests/golden/gpt2-random", 3, 48 },
    { "tests/golden/llama3-random", 2, 80 }, { "tests/golden/mistral-random", 2, 48 },
    { "tests/golden/qwen2-random", 2, 48 }, { "tests/golden/qwen3-random", 2, 48 },
    { "tests/golden/gpt-neox-random", 2, 48 }, { "tests/golden/olmo2-random", 2, 48 },
    { "tests/golden/phi3-random", 2, 48 },
};

/* One model in EVERY is compared with itself; all are compared with their references. */
enum { REFERENCES_COUNT = sizeof REFERENCES / sizeof *REFERENCES, EVERY = SANITIZED(5, 1),
       ROWS = 40 };

static const double TOLERANCE = 2e-5;

/* A model that reads the reference's sequences through a cache. */
struct scene {
    const struct golden *golden;
    struct weights weights;
    struct forward forward;
    struct cache   cache;
    struct head    head;
    hid_t          file;
    char           path[128];
    int32_t       *ids;         /* [sequences, context] */
    int64_t        row[ROWS];   /* of all tokens: which one each row of this step is */
    int64_t        rows;
};

static void set_up(struct scene *s, const struct golden *golden)
{
    struct lm_config config;
    const int64_t tokens = golden->sequences * golden->context;

    *s = (struct scene){ .golden = golden };
    snprintf(s->path, sizeof s->path, "%s/expected.h5", golden->model);
    assert_int_equal(config_read(&config, golden->model), OK);
    assert_int_equal(weights_read(&s->weights, &config, PRECISION_F32, golden->model,
                                  MPI_COMM_SELF), OK);
    forward_make(&s->forward, &s->weights, ROWS, 1);
    cache_make(&s->cache, &config, golden->sequences, golden->context, ROWS);
    s->forward.cache = &s->cache;
    head_make(&s->head, &s->weights);
    assert_int_equal(h5_open(&s->file, s->path), OK);
    s->ids = allocate(tokens, sizeof *s->ids);
    golden_read(s->file, "tokens", H5T_NATIVE_INT32, tokens, s->ids);
}

static void tear_down(struct scene *s)
{
    free(s->ids);
    assert_int_equal(h5_close(&s->file, s->path, OK), OK);
    head_free(&s->head);
    cache_free(&s->cache);
    forward_free(&s->forward);
    weights_free(&s->weights);
}

/* Forget what was read. */
static void begin(struct scene *s)
{
    memset(s->cache.tokens, 0, (size_t)s->cache.sequences * sizeof *s->cache.tokens);
}

/* Start a step with up to `most` next tokens of each sequence in [first, end), the sequences one
 * after the other.  Returns whether there are any. */
static bool step(struct scene *s, int64_t first, int64_t end, int64_t most)
{
    int32_t ids[ROWS];

    s->rows = 0;
    for (int64_t q = first; q < end; q++) {
        const int64_t from = s->cache.tokens[q];
        for (int64_t t = from; t < from + most && t < s->golden->context; t++) {
            s->row[s->rows] = q * s->golden->context + t;
            s->cache.sequence[s->rows] = q;
            ids[s->rows] = s->ids[s->row[s->rows]];
            s->rows++;
        }
    }
    if (s->rows > 0)
        assert_int_equal(forward_start(&s->forward, ids, s->rows), OK);
    return s->rows > 0;
}

/* Put the rows of this step where they belong among all tokens. */
static void gather(const struct scene *s, float *all, const float *values, int64_t width)
{
    for (int64_t r = 0; r < s->rows; r++)
        memcpy(all + s->row[r] * width, values + r * width, (size_t)width * sizeof *all);
}

/* Logits of the rows of this step, which must be at the end, to their places. */
static void gather_logits(struct scene *s, float *all)
{
    const int32_t words = s->weights.config.outputs;
    float *logits = allocate(s->rows * words, sizeof *logits);

    head_logits_few(&s->head, logits, s->forward.values, s->rows, s->cache.packed);
    gather(s, all, logits, words);
    free(logits);
}

/* --- against the references -------------------------------------------------------------- */

static const char *const NAMES[SITES] = {
    [SITE_ATTN] = "attn", [SITE_MLP_IN] = "mlp_in", [SITE_MLP] = "mlp", [SITE_RES] = "resid",
};

/* Read all sequences, `most` tokens of each in a step, and keep every site.
 *   sites [layers * SITES]  each for all tokens */
static void read_all(struct scene *s, float **sites, float *logits, int64_t most)
{
    begin(s);
    while (step(s, 0, s->golden->sequences, most)) {
        while (site_tap_step(s->forward.tap) < site_tap_step(forward_end(&s->forward))) {
            forward_next(&s->forward);
            gather(s, sites[site_tap_step(s->forward.tap)], s->forward.values, s->forward.width);
        }
        gather_logits(s, logits);
    }
}

static void check_reference(const struct golden *golden)
{
    const int64_t tokens = golden->sequences * golden->context;
    struct scene s;
    char name[32];

    set_up(&s, golden);
    const struct lm_config *c = &s.weights.config;
    float **sites = allocate(c->layers * SITES, sizeof *sites);
    float *logits = allocate(tokens * c->outputs, sizeof *logits);
    for (int64_t i = 0; i < c->layers * SITES; i++)
        sites[i] = allocate(tokens * lm_site_width(c, site_at((int)(i % SITES))), sizeof **sites);
    read_all(&s, sites, logits, 1);
    for (int64_t i = 0; i < c->layers * SITES; i++) {
        const enum site site = site_at((int)(i % SITES));
        snprintf(name, sizeof name, "%s.%d", NAMES[site], (int)(i / SITES));
        if (site != SITE_MLP_IN || H5Lexists(s.file, name, H5P_DEFAULT) > 0)
            golden_check(s.file, name, sites[i], tokens * lm_site_width(c, site), TOLERANCE);
        free(sites[i]);
    }
    golden_check(s.file, "logits", logits, tokens * c->outputs, TOLERANCE);
    free(logits);
    free(sites);
    tear_down(&s);
}

static void agrees_with_every_reference_token_by_token(void **state)
{
    (void)state;
    for (int i = 0; i < REFERENCES_COUNT; i++) {
        printf("    %s\n", REFERENCES[i].model);
        check_reference(&REFERENCES[i]);
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
            assert_int_equal(config_read(&config, REFERENCES[r].model), OK);
            found |= config.family == family;
        }
        assert_true(found);
    }
}

/* --- against itself ---------------------------------------------------------------------- */

/* Logits of the sequences [first, end), `most` tokens of each in a step.  Caller frees. */
static float *logits_of(struct scene *s, int64_t first, int64_t end, int64_t most)
{
    const int64_t tokens = s->golden->sequences * s->golden->context;
    float *logits = allocate(tokens * s->weights.config.outputs, sizeof *logits);

    begin(s);
    while (step(s, first, end, most)) {
        forward_to(&s->forward, forward_end(&s->forward));
        gather_logits(s, logits);
    }
    return logits;
}

/* The last sequence alone, in steps of several tokens, on other threads. */
static void gives_the_same_bits_whatever_else_is_in_a_step(void **state)
{
    (void)state;
    for (int i = 0; i < REFERENCES_COUNT; i += EVERY) {
        struct scene s;
        omp_set_num_threads(3);
        set_up(&s, &REFERENCES[i]);
        const int64_t last = REFERENCES[i].sequences - 1, from = last * REFERENCES[i].context;
        const int64_t words = s.weights.config.outputs;
        const size_t bytes = (size_t)(REFERENCES[i].context * words) * sizeof(float);
        float *all = logits_of(&s, 0, last + 1, 1);
        for (int64_t most = 1; most <= 13; most += 3) {
            omp_set_num_threads((int)(1 + most % 3));
            float *alone = logits_of(&s, last, last + 1, most);
            assert_memory_equal(alone + from * words, all + from * words, bytes);
            free(alone);
        }
        free(all);
        tear_down(&s);
    }
}

/* What is changed at a site goes on to the end, as in a pass over whole sequences. */
static void takes_changes_at_every_site(void **state)
{
    const struct golden *golden = &REFERENCES[1];
    const int64_t tokens = golden->sequences * golden->context;
    struct scene s;
    struct forward whole;

    (void)state;
    set_up(&s, golden);
    const int64_t width = s.weights.config.width;
    float *all = allocate(tokens * width, sizeof *all);
    forward_make(&whole, &s.weights, golden->sequences, golden->context);
    for (int site = 0; site < SITES; site++) {
        const struct tap tap = { .site = (enum site)site, .layer = 1 };
        assert_int_equal(forward_start(&whole, s.ids, golden->sequences), OK);
        forward_to(&whole, tap);
        for (int64_t i = 0; i < whole.rows * whole.width; i++)
            whole.values[i] *= 1.5f;
        forward_to(&whole, forward_end(&whole));
        begin(&s);
        while (step(&s, 0, golden->sequences, 2)) {
            forward_to(&s.forward, tap);
            for (int64_t i = 0; i < s.rows * s.forward.width; i++)
                s.forward.values[i] *= 1.5f;
            forward_to(&s.forward, forward_end(&s.forward));
            gather(&s, all, s.forward.values, width);
        }
        double difference = 0, norm = 0;
        for (int64_t i = 0; i < tokens * width; i++) {
            const double d = (double)all[i] - (double)whole.values[i];
            difference += d * d;
            norm += (double)whole.values[i] * (double)whole.values[i];
        }
        assert_true(difference < TOLERANCE * TOLERANCE * norm);
    }
    forward_free(&whole);
    free(all);
    tear_down(&s);
}

static void refuses_more_tokens_than_the_model_has_positions(void **state)
{
    struct scene s;
    struct cache longer;
    const int32_t id = 1;

    (void)state;
    set_up(&s, &REFERENCES[1]);
    cache_make(&longer, &s.weights.config, 1, s.weights.config.positions + 1, 1);
    s.forward.cache = &longer;
    assert_int_equal(forward_start(&s.forward, &id, 1), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "257"));
    refuse_clear();
    cache_free(&longer);
    tear_down(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_every_reference_token_by_token),
        cmocka_unit_test(every_family_has_a_reference),
        cmocka_unit_test(gives_the_same_bits_whatever_else_is_in_a_step),
        cmocka_unit_test(takes_changes_at_every_site),
        cmocka_unit_test(refuses_more_tokens_than_the_model_has_positions),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
