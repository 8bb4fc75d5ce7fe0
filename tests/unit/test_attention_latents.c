/* The method attention_latents on golden prompts of tiny-gpt2 and autoencoders of this test: where
 * it looks, which latents it chooses, and what it writes. */
#include "tests/unit/circuit_scene.h"

#include "base/blas_core.h"
#include "base/random.h"
#include "methods/attention_latents.h"

#include <jansson.h>

enum { PROMPTS = 7, WIDTH = 128, LATENTS = 24, SITES_COUNT = 3 };

/* Of layer 3 there is nothing below. */
static struct sae_task task = { .name = "w24", .width = LATENTS };
static struct chosen_sae named[SITES_COUNT] = {
    { .name = "res.01/w24", .tap = { SITE_RES, 1 }, .task = &task },
    { .name = "attn.02/w24", .tap = { SITE_ATTN, 2 }, .task = &task },
    { .name = "attn.03/w24", .tap = { SITE_ATTN, 3 }, .task = &task },
};
static const struct chosen_saes CHOSEN = { .count = SITES_COUNT, .sae = named,
                                           .suite = { .path = "trained.yaml" } };

struct fixture {
    struct scene             scene;
    struct latent_site       sites[SITES_COUNT];
    struct attention_latents all;
    struct attention_latents_worker worker;
};

static float number(uint64_t index)
{
    return 2 * random_uniform(11, RANDOM_ENCODER, index) - 1;
}

/* Few latents are active anywhere. */
static void make_sae(struct sae *sae, uint64_t seed)
{
    sae_make(sae, WIDTH, WIDTH, LATENTS);
    for (int i = 0; i < LATENTS * WIDTH; i++) {
        sae->encoder[i] = number(seed + 4 * (uint64_t)i) / 4;
        sae->decoder[i] = number(seed + 4 * (uint64_t)i + 1) / 4;
    }
    for (int i = 0; i < LATENTS; i++) {
        sae->encoder_bias[i] = number(seed + 4 * (uint64_t)i + 2);
        sae->threshold[i] = 1;
    }
    for (int i = 0; i < WIDTH; i++)
        sae->decoder_bias[i] = number(seed + 4 * (uint64_t)i + 3) / 4;
}

static void set_up(struct fixture *f, const char *keys)
{
    char whole[1024];

    *f = (struct fixture){0};
    snprintf(whole, sizeof whole, "method: attention_latents, block: 3, %s", keys);
    scene_set_up(&f->scene, PROMPTS, whole);
    for (int s = 0; s < SITES_COUNT; s++) {
        f->sites[s].tap = named[s].tap;
        make_sae(&f->sites[s].sae, 1000000 * (uint64_t)s);
    }
    if (attention_latents_find(&f->all, &f->scene.suite, &CHOSEN) != OK)
        fail_msg("%s", refuse_reason());
    f->all.saes = f->sites;
    attention_latents_worker_make(&f->worker, &f->all, &f->scene.circuit);
}

static void tear_down(struct fixture *f)
{
    attention_latents_worker_free(&f->worker);
    attention_latents_free(&f->all);
    for (int s = 0; s < SITES_COUNT; s++)
        sae_free(&f->sites[s].sae);
    scene_tear_down(&f->scene);
}

/* --- by the definitions ------------------------------------------------------------------ */

/* The rows of a site on a prompt that runs alone, [TOKENS, WIDTH].  Caller frees, here and
 * below. */
static float *rows_of(const struct fixture *f, int site, int64_t prompt)
{
    float *rows = allocate(TOKENS * WIDTH, sizeof *rows);
    struct forward forward;

    forward_make(&forward, &f->scene.weights, 1, TOKENS);
    assert_int_equal(forward_start(&forward, f->scene.prompts.clean + prompt * TOKENS, 1), OK);
    forward_to(&forward, f->sites[site].tap);
    memcpy(rows, forward.values, TOKENS * WIDTH * sizeof *rows);
    forward_free(&forward);
    return rows;
}

/* The pre-activations of all latents of a site at all tokens, [TOKENS, LATENTS]. */
static double *pre_activations(const struct fixture *f, int site, int64_t prompt)
{
    const struct sae *sae = &f->sites[site].sae;
    double *pi = allocate(TOKENS * LATENTS, sizeof *pi);
    float *rows = rows_of(f, site, prompt);

    for (int t = 0; t < TOKENS; t++)
        for (int i = 0; i < LATENTS; i++) {
            pi[t * LATENTS + i] = (double)sae->encoder_bias[i];
            for (int k = 0; k < WIDTH; k++)
                pi[t * LATENTS + i] += (double)sae->encoder[i * WIDTH + k]
                                     * (double)rows[t * WIDTH + k];
        }
    free(rows);
    return pi;
}

static double value_of(const struct fixture *f, enum attention_latents_field field, int64_t prompt,
                       int64_t t)
{
    return *attention_latents_values(&f->all, field, prompt, t);
}

/* --- claims ------------------------------------------------------------------------------ */

static struct fixture f;

/* A target on a prompt with these pre-activations: the largest among tokens [first, length). */
static void check_place(const double *pi, int64_t prompt, int64_t t, int first)
{
    const int32_t latent = f.all.target[t].latent;
    double largest = -INFINITY;
    int position = -1;

    for (int at = first; at < f.scene.prompts.length[prompt]; at++)
        if (pi[at * LATENTS + latent] > largest) {
            largest = pi[at * LATENTS + latent];
            position = at;
        }
    assert_true(value_of(&f, ATTENTION_LATENTS_POSITION, prompt, t) == position);
    assert_true(fabs(value_of(&f, ATTENTION_LATENTS_PRE_ACTIVATION, prompt, t) - largest) < 1e-5);
    assert_true(fabs(value_of(&f, ATTENTION_LATENTS_ACTIVATION, prompt, t)
                     - (largest > 1 ? largest : 0)) < 1e-5);
}

/* Let latent 0 of layer 2 look for the first token, which is the same in all prompts. */
static void look_for_first_token(void)
{
    float *rows = rows_of(&f, 1, 0);

    memcpy(f.sites[1].sae.encoder, rows, WIDTH * sizeof *rows);
    free(rows);
    double *pi = pre_activations(&f, 1, 0);
    for (int t = 1; t < TOKENS; t++)
        assert_true(pi[t * LATENTS] < pi[0]);
    free(pi);
}

/* All latents of layer 2.  Some are strongest at the first token, some in the padding. */
static void looks_where_a_latent_is_strongest(void **state)
{
    char keys[LATENTS * 20 + 40];

    (void)state;
    for (int end = 0; end < 2; end++) {
        int n = sprintf(keys, "%slatents: [", end ? "at: end, " : "");
        for (int i = LATENTS - 1; i >= 0; i--)
            n += sprintf(keys + n, "attn.02/w24/%d%s", i, i > 0 ? ", " : "]");
        set_up(&f, keys);
        look_for_first_token();
        assert_int_equal(f.all.targets, LATENTS);
        assert_int_equal(f.all.target[5].latent, 5);
        assert_int_equal(attention_latents_worker_run(&f.worker), OK);
        for (int64_t p = 0; p < PROMPTS; p++) {
            double *pi = pre_activations(&f, 1, p);
            for (int64_t t = 0; t < LATENTS; t++)
                check_place(pi, p, t, end ? f.scene.prompts.length[p] - 1 : 1);
            free(pi);
        }
        tear_down(&f);
    }
}

/* The largest pre-activation of each latent of a site on any prompt, and at any token but the
 * first.
 *   most [LATENTS]  out */
static void find_most(double *most, int site)
{
    for (int i = 0; i < LATENTS; i++)
        most[i] = -INFINITY;
    for (int64_t p = 0; p < PROMPTS; p++) {
        double *pi = pre_activations(&f, site, p);
        for (int i = LATENTS; i < f.scene.prompts.length[p] * LATENTS; i++)
            most[i % LATENTS] = fmax(most[i % LATENTS], pi[i]);
        free(pi);
    }
}

static void chooses_the_strongest_latents(void **state)
{
    double most[LATENTS];

    (void)state;
    set_up(&f, "samples: 4");
    assert_int_equal(attention_latents_worker_measure(&f.worker), OK);
    assert_int_equal(attention_latents_choose(&f.all, f.worker.most), OK);
    assert_int_equal(f.all.targets, 8);
    for (int t = 0; t < 8; t++) {
        assert_int_equal(f.all.target[t].site, t / 4);
        if (t % 4 == 0)
            find_most(most, 1 + t / 4);
        int stronger = 0;
        for (int i = 0; i < LATENTS; i++)
            stronger += most[i] > most[f.all.target[t].latent];
        assert_int_equal(stronger, t % 4);
        assert_true(most[f.all.target[t].latent] > 1);
    }
    tear_down(&f);
}

static double sum_of(const double *values, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* One of two latents has an autoencoder below. */
static void writes_parts_that_add_up(void **state)
{
    static const char FILE_NAME[] = "attention_latents.h5";
    const hid_t doubles = H5T_NATIVE_DOUBLE;

    (void)state;
    set_up(&f, "latents: [attn.02/w24/7, attn.03/w24/5]");
    assert_int_equal(attention_latents_worker_run(&f.worker), OK);
    assert_int_equal(attention_latents_write(&f.all, &f.scene.circuit, "attention_latents"), OK);
    double *pi = scene_result(FILE_NAME, "pre_activation", doubles, sizeof *pi);
    double *part = scene_result(FILE_NAME, "part", doubles, sizeof *part);
    double *head = scene_result(FILE_NAME, "part_head", doubles, sizeof *head);
    double *latents = scene_result(FILE_NAME, "below_latents", doubles, sizeof *latents);
    double *error = scene_result(FILE_NAME, "below_error", doubles, sizeof *error);
    double *bias = scene_result(FILE_NAME, "below_bias", doubles, sizeof *bias);
    double *strongest = scene_result(FILE_NAME, "below_strongest", doubles, sizeof *strongest);
    int32_t *place = scene_result(FILE_NAME, "below_strongest_position", H5T_NATIVE_INT32,
                                  sizeof *place);
    for (int64_t i = 0; i < 2 * PROMPTS; i++) {
        const double own = (double)f.sites[1 + i % 2].sae.encoder_bias[i % 2 == 0 ? 7 : 5];
        assert_true(fabs(sum_of(part + i * HEADS * TOKENS, HEADS * TOKENS) + own - pi[i]) < 1e-5);
        assert_true(fabs(sum_of(head + i * HEADS, HEADS) + own - pi[i]) < 1e-5);
        assert_true(i % 2 == 0 ? place[i * 10] >= 0 : place[i * 10] == -1);
        assert_true(i % 2 == 0 || (isnan(latents[i * TOKENS]) && isnan(strongest[i * 10])));
        if (i % 2 == 1)
            continue;
        assert_true(fabs(sum_of(latents + i * TOKENS, TOKENS) + sum_of(error + i * TOKENS, TOKENS)
                         + sum_of(bias + i * TOKENS, TOKENS) + own - pi[i]) < 1e-4);
        for (int64_t k = 1; k < 10; k++)
            assert_true(fabs(strongest[i * 10 + k]) <= fabs(strongest[i * 10 + k - 1]));
    }
    free(place);
    free(strongest);
    free(bias);
    free(error);
    free(latents);
    free(head);
    free(part);
    free(pi);
    tear_down(&f);
}

/* Shares that are all of a head's, and a head that writes in one direction. */
static void counts_latents_of_heads(void **state)
{
    json_error_t error;

    (void)state;
    set_up(&f, "latents: [attn.02/w24/7]");
    for (int i = 0; i < LATENTS * WIDTH; i++)
        f.sites[1].sae.decoder[i] = i % WIDTH == 16 * (i / WIDTH % 5) ? 1 : 0;
    assert_int_equal(attention_latents_worker_run(&f.worker), OK);
    assert_int_equal(attention_latents_write(&f.all, &f.scene.circuit, "attention_latents"), OK);
    json_t *found = json_load_file(in_scratch("circuit/attention_latents.json"), 0, &error);
    const json_t *site = json_array_get(json_object_get(found, "autoencoders"), 0);
    const json_t *heads = json_object_get(site, "heads");
    for (size_t k = 0; k < HEADS; k++) {
        const json_t *head = json_array_get(heads, k);
        const int64_t latents = k < 4 ? 5 : k == 4 ? 4 : 0;
        assert_int_equal(json_integer_value(json_object_get(head, "largest_in")), latents);
        assert_int_equal(json_integer_value(json_object_get(head, "more_than_half_in")), latents);
        assert_true(json_number_value(json_object_get(head, "directions")) == (k < 5 ? 1 : 0));
    }
    assert_int_equal(json_integer_value(json_object_get(site, "heads_of_several_directions")), 0);
    json_decref(found);
    tear_down(&f);
}

static void refuses_latents_that_are_not_there(void **state)
{
    static const struct {
        const char *latents, *words;
    } WRONG[] = {
        { "attn.02/w24/24",
          "no latent attn.02/w24/24; those of attn.02/w24 have the numbers 0 to 23" },
        { "attn.02/w24/-1", "no latent attn.02/w24/-1" },
        { "attn.02/w24/1x", "no latent attn.02/w24/1x" },
        { "attn.02/w24/", "no latent attn.02/w24/;" },
        { "res.01/w24/3", "one like attn.02/w24/0" },
        { "attn.02/w2/3", "one like attn.02/w24/0" },
        { "attn", "one like attn.02/w24/0" },
        { "attn.02/w24/3, attn.02/w24/03", "attn.02/w24/3 is named twice" },
    };
    char keys[128];

    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        snprintf(keys, sizeof keys, "method: attention_latents, latents: [%s]", WRONG[i].latents);
        scene_set_up(&f.scene, 1, keys);
        assert_int_equal(attention_latents_find(&f.all, &f.scene.suite, &CHOSEN), E_USAGE);
        if (strstr(refuse_reason(), WRONG[i].words) == NULL)
            fail_msg("'%s' is not in: %s", WRONG[i].words, refuse_reason());
        refuse_clear();
        attention_latents_free(&f.all);
        scene_tear_down(&f.scene);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_where_a_latent_is_strongest),
        cmocka_unit_test(chooses_the_strongest_latents),
        cmocka_unit_test(writes_parts_that_add_up),
        cmocka_unit_test(counts_latents_of_heads),
        cmocka_unit_test(refuses_latents_that_are_not_there),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
