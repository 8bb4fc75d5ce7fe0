/* The methods that look at heads one by one, from a suite to their files, against values that were
 * computed in float64 by other code (tests/golden/README.md, "circuits/cspa.json"). */
#include "base/allocate.h"
#include "heads/function_words.h"
#include "methods/circuit_stage.h"
#include "sae/sae.h"
#include "shard/h5.h"
#include "tests/unit/circuit_scene.h"

#include "tests/golden.h"

#include <jansson.h>

#define FOLDER "tests/golden/circuits/"

enum { WIDTH = 128, VOCABULARY = 2048 };

/* --- a task ------------------------------------------------------------------------------ */

static void read_prompts(struct scene *scene)
{
    const struct suite_circuit *circuit = &scene->suite.circuit;
    struct wording wording;

    assert_int_equal(wording_open(&wording, &scene->suite, &scene->config), OK);
    prompts_make(&scene->prompts, circuit->context);
    for (unsigned f = 0; f < circuit->prompts_count; f++)
        if (prompts_read(&scene->prompts, &wording, circuit->prompts[f], circuit->count) != OK)
            fail_msg("%s", refuse_reason());
    prompts_trim(&scene->prompts);
    wording_close(&wording);
}

static void set_up(struct scene *scene, const char *circuit)
{
    scene_open(scene, circuit);
    read_prompts(scene);
}

static enum status try_task(const struct scene *scene)
{
    const struct circuit_method *method = methods_of(&scene->suite);
    enum status st;

    refuse_clear();
    assert_int_equal(file_remove(in_scratch("circuit")), OK);
    TRY(circuit_stage_check(&scene->suite));
    TRY(method->check(&scene->suite, &scene->config, &scene->prompts));
    TRY(method->run(&scene->circuit, 0));
done:
    return st;
}

static void run_task(const char *circuit)
{
    struct scene scene;

    set_up(&scene, circuit);
    if (try_task(&scene) != OK)
        fail_msg("%s", refuse_reason());
    scene_tear_down(&scene);
}

static void check_refused(const char *circuit, const char *reason)
{
    struct scene scene;

    set_up(&scene, circuit);
    assert_int_not_equal(try_task(&scene), OK);
    if (strstr(refuse_reason(), reason) == NULL)
        fail_msg("'%s' is not in: %s", reason, refuse_reason());
    refuse_clear();
    scene_tear_down(&scene);
}

/* --- files ------------------------------------------------------------------------------- */

static json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);

    if (root == NULL)
        fail_msg("%s: %s", path, error.text);
    return root;
}

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_number(value))
        fail_msg("there is no number %s", name);
    return json_number_value(value);
}

static json_t *head_of(const json_t *root, size_t head)
{
    return json_array_get(json_object_get(root, "heads"), head);
}

/* Numbers of a data set.  Caller frees. */
static double *read_set(const char *path, const char *name, int64_t count)
{
    double *values = allocate(count, sizeof *values);
    hid_t file;

    assert_int_equal(h5_open(&file, path), OK);
    golden_read(file, name, H5T_NATIVE_DOUBLE, count, values);
    H5Fclose(file);
    return values;
}

enum { CONTEXT = 48, TEXTS = 24, MEANS = 200 };

/* The first `length` ids of the first rows of a golden data set of `all` rows, as a file of texts,
 * {"text": [...]}. */
static void write_texts(const char *name, const char *set, int all, int rows, int length)
{
    double *ids = read_set(FOLDER "cspa.h5", set, all * CONTEXT);
    FILE *out = fopen(in_scratch(name), "w");

    for (int r = 0; r < rows; r++)
        for (int t = 0; t < length; t++)
            fprintf(out, "%s%d%s", t == 0 ? "{\"text\": [" : ", ", (int)ids[r * CONTEXT + t],
                    t == length - 1 ? "]}\n" : "");
    fclose(out);
    free(ids);
}

/* --- copy suppression -------------------------------------------------------------------- */

enum { MOVER = 2 * HEADS + 4 };

static void write_function_words(void)
{
    json_t *golden = read_json(FOLDER "cspa.json");

    assert_int_equal(json_dump_file(json_object_get(golden, "function_word_ids"),
                                    in_scratch("words.json"), 0), 0);
    json_decref(golden);
}

/* Of the head with the highest score; means over other texts. */
static void copy_suppression_agrees_with_the_reference(void **state)
{
    char circuit[1024];

    (void)state;
    write_texts("texts.jsonl", "tokens", TEXTS, TEXTS, CONTEXT);
    write_texts("means.jsonl", "mean_tokens", MEANS, MEANS, CONTEXT);
    write_function_words();
    snprintf(circuit, sizeof circuit,
             "method: copy_suppression, prompts: [%s], mean_texts: [%s], function_words: %s, "
             "shares: [0.05, 0.2], count: 200, context: 48, heads: [2.4]",
             in_scratch("texts.jsonl"), in_scratch("means.jsonl"), in_scratch("words.json"));
    run_task(circuit);
    json_t *ours = read_json(in_scratch("circuit/copy_suppression-2.4.json"));
    json_t *golden = read_json(FOLDER "cspa.json");
    const json_t *head = head_of(ours, 0), *want = head_of(golden, MOVER);
    const json_t *scores = json_object_get(head, "scores");
    const json_t *first = json_array_get(scores, 0), *second = json_array_get(scores, 1);
    assert_string_equal(json_string_value(json_object_get(head, "head")), "2.4");
    assert_true(fabs(number(first, "cspa") - number(want, "cspa_0.05")) < 1e-3);
    assert_true(fabs(number(second, "cspa") - number(want, "cspa_0.2")) < 1e-3);
    assert_true(fabs(number(first, "qk_only") - number(want, "cspa_qk_only_0.05")) < 1e-3);
    assert_true(fabs(number(head, "ov_only") - number(want, "cspa_ov_only")) < 1e-3);
    assert_true(fabs(number(head, "kl_ablated") - number(want, "kl_mean_ablated")) < 1.2e-5);
    assert_true(fabs(number(head, "kl_zero_ablated") - number(want, "kl_zero_ablated")) < 1.2e-5);
    /* A few in a thousand ranks differ by a few places. */
    assert_true(fabs(number(head, "ov_lowest") - number(want, "ov_share_rank_below_10")) < 2e-3);
    assert_true(fabs(number(head, "qk_largest") - number(want, "qk_share_rank_0")) < 2e-3);
    json_decref(golden);
    json_decref(ours);
}

/* The KL of two tasks, [CONTEXT] each, and the ranks and positions of the second. */
static double *divergences(const char *more)
{
    char circuit[1024];

    snprintf(circuit, sizeof circuit, "method: copy_suppression, prompts: [%s%s], context: 48, "
             "ablation: zero, heads: [2.4]", in_scratch("texts.jsonl"), more);
    run_task(circuit);
    return read_set(in_scratch("circuit/copy_suppression-2.4.h5"), "kl_ablated", CONTEXT);
}

/* A text of 20 tokens adds nothing behind its end, and counts before it. */
static void shorter_texts_count_up_to_their_ends(void **state)
{
    char more[PATH_LENGTH + 2];

    (void)state;
    write_texts("texts.jsonl", "tokens", TEXTS, 2, CONTEXT);
    write_texts("short.jsonl", "mean_tokens", MEANS, 1, 20);
    snprintf(more, sizeof more, ", %s", in_scratch("short.jsonl"));
    double *alone = divergences(""), *both = divergences(more);
    double *at = read_set(in_scratch("circuit/copy_suppression-2.4.h5"), "texts_at", CONTEXT);
    for (int t = 0; t < CONTEXT; t++) {
        assert_true(t < 20 ? both[t] > alone[t] : both[t] == alone[t]);
        assert_true(at[t] == (t < 20 ? 3 : 2));
    }
    free(at);
    free(both);
    free(alone);
}

/* " The", "the" and the like; not "then". */
static void a_function_word_means_all_its_forms(void **state)
{
    struct tokenizer tokenizer;
    bool is[VOCABULARY] = {0};
    char *text;
    int64_t bytes;
    int words = 0;

    (void)state;
    const char *path = in_scratch("words.json");
    assert_int_equal(file_write(path, "[\"the\", 2047]", 13), OK);
    assert_int_equal(tokenizer_open(&tokenizer, "jobs/circuits/tiny-gpt2/tokenizer.json"), OK);
    assert_int_equal(function_words_read(is, VOCABULARY, path, &tokenizer), OK);
    for (int32_t id = 0; id < VOCABULARY - 1; id++) {
        assert_int_equal(tokenizer_decode(&tokenizer, &id, 1, &text, &bytes), OK);
        const bool the = strcmp(text, "the") == 0 || strcmp(text, " the") == 0
                      || strcmp(text, "The") == 0 || strcmp(text, " The") == 0;
        assert_true(is[id] == the);
        words += the;
        free(text);
    }
    assert_true(is[VOCABULARY - 1] && words >= 3);
    assert_int_equal(file_write(path, "[2048]", 6), OK);
    assert_int_equal(function_words_read(is, VOCABULARY, path, &tokenizer), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "has the id 2048"));
    refuse_clear();
    tokenizer_close(&tokenizer);
}

/* --- self-repair ------------------------------------------------------------------------- */

enum { PROMPTS = 12, LENGTH = 20 };

/* The golden prompts, whose corrupted prompts are the clean ones; a template each. */
static void write_golden_prompts(void)
{
    double *ids = read_set(FOLDER "direct_effects.h5", "tokens", PROMPTS * LENGTH);
    double *length = read_set(FOLDER "direct_effects.h5", "length", PROMPTS);
    double *io = read_set(FOLDER "direct_effects.h5", "io", PROMPTS);
    double *s = read_set(FOLDER "direct_effects.h5", "s", PROMPTS);
    FILE *out = fopen(in_scratch("golden.jsonl"), "w");

    for (int p = 0; p < PROMPTS; p++) {
        for (int twice = 0; twice < 2; twice++)
            for (int t = 0; t < (int)length[p]; t++)
                fprintf(out, "%s%d%s", t > 0 ? ", " : twice ? "\"corrupted\": [" : "{\"clean\": [",
                        (int)ids[p * LENGTH + t], t == (int)length[p] - 1 ? "], " : "");
        fprintf(out, "\"answers\": [%d], \"wrong\": [%d], \"template\": %d}\n", (int)io[p],
                (int)s[p], p);
    }
    fclose(out);
    free(s);
    free(io);
    free(length);
    free(ids);
}

static double *self_repair(const char *ablation)
{
    char circuit[1024];

    snprintf(circuit, sizeof circuit, "method: self_repair, prompts: [%s], ablated: [2.4], "
             "heads: [2.7, 3.7], block: 5, ablation: %s", in_scratch("golden.jsonl"), ablation);
    run_task(circuit);
    return read_set(in_scratch("circuit/self_repair.h5"), "sums", PROMPTS * (3 + ALL));
}

/* What ablation to 0 should take away is what the head adds directly. */
static void the_predicted_drop_is_the_golden_direct_effect(void **state)
{
    (void)state;
    write_golden_prompts();
    double *sums = self_repair("zero"), predicted = 0;
    double *ld = read_set(FOLDER "direct_effects.h5", "ld", PROMPTS);
    double *effect = read_set(FOLDER "direct_effects.h5", "dla_head", PROMPTS * ALL);
    json_t *summary = read_json(in_scratch("circuit/self_repair.json"));
    for (int p = 0; p < PROMPTS; p++) {
        assert_true(fabs(sums[p * (3 + ALL)] - ld[p]) < 5e-5);
        assert_true(fabs(sums[p * (3 + ALL) + 2] - effect[p * ALL + MOVER]) < 5e-5);
        predicted += effect[p * ALL + MOVER] / PROMPTS;
    }
    assert_true(fabs(number(summary, "predicted_drop") - predicted) < 5e-5);
    assert_true(fabs(number(summary, "share_of_heads")
                     - number(head_of(summary, 2 * HEADS + 7), "share")
                     - number(head_of(summary, 3 * HEADS + 7), "share")) < 1e-12);
    assert_true(json_is_true(json_object_get(head_of(summary, MOVER), "ablated")));
    json_decref(summary);
    free(effect);
    free(ld);
    free(sums);
}

/* A head whose mean is over its own prompt alone is as it was. */
static void the_mean_is_that_of_the_template(void **state)
{
    (void)state;
    write_golden_prompts();
    double *sums = self_repair("corrupted");
    for (int p = 0; p < PROMPTS; p++) {
        assert_true(fabs(sums[p * (3 + ALL)] - sums[p * (3 + ALL) + 1]) < 2e-5);
        for (int i = 2; i < 3 + ALL; i++)
            assert_true(fabs(sums[p * (3 + ALL) + i]) < 2e-5);
    }
    free(sums);
}

/* --- successors -------------------------------------------------------------------------- */

static const char *const CLASSES[] = { "days", "months", "letters", "numbers", "number_words",
                                       "ordinals" };

static void successor_scores_are_the_golden_ones(void **state)
{
    static const char *const KINDS[][2] = {
        { "embedding", "embed" }, { "mlp", "mlp0" }, { "both", "embed_plus_mlp0" },
    };
    char key[64];

    (void)state;
    run_task("method: successor, data: jobs/circuits/ordinals.json");
    json_t *ours = read_json(in_scratch("circuit/successor.json"));
    json_t *golden = read_json(FOLDER "successor.json");
    for (size_t h = 0; h < ALL; h++)
        for (int kind = 0; kind < 3; kind++)
            for (int k = 0; k < 6; k++) {
                const json_t *scores = json_object_get(head_of(ours, h), "scores");
                snprintf(key, sizeof key, "%s.%s", KINDS[kind][1], CLASSES[k]);
                assert_true(fabs(number(json_object_get(scores, KINDS[kind][0]), CLASSES[k])
                                 - number(head_of(golden, h), key)) < 1e-12);
            }
    json_decref(golden);
    json_decref(ours);
}

/* An autoencoder whose latents are the probe's directions: each digit's latent is its own. */
static void write_probe_as_autoencoder(void)
{
    double *direction = read_set(in_scratch("circuit/successor.h5"), "probe_direction", 10 * WIDTH);
    struct sae sae;

    sae_make(&sae, WIDTH, WIDTH, 10);
    for (int i = 0; i < 10 * WIDTH; i++)
        sae.encoder[i] = sae.decoder[i] = (float)direction[i];
    for (int i = 0; i < 10; i++)
        sae.encoder_bias[i] = 1000;     /* they fire for all numbers */
    assert_int_equal(sae_write_npz(&sae, in_scratch("params.npz")), OK);
    sae_free(&sae);
    free(direction);
}

static void an_autoencoders_digits_are_found(void **state)
{
    char circuit[1024];

    (void)state;
    run_task("method: successor, data: jobs/circuits/ordinals.json, heads: [1.5]");
    write_probe_as_autoencoder();
    snprintf(circuit, sizeof circuit, "method: successor, heads: [1.5, 2.0], data: "
             "jobs/circuits/ordinals.json, autoencoder: %s", in_scratch("params.npz"));
    run_task(circuit);
    json_t *ours = read_json(in_scratch("circuit/successor.json"));
    const json_t *digits = json_object_get(ours, "digits");
    const json_t *latents = json_object_get(digits, "latents");
    for (size_t digit = 0; digit < 10; digit++)
        assert_int_equal(json_integer_value(json_array_get(json_object_get(latents, "latent"),
                                                           digit)), digit);
    assert_true(fabs(number(latents, "cosine_to_probe") - 1) < 1e-6);
    assert_true(number(latents, "coverage") > 0.9);
    assert_true(number(json_object_get(json_object_get(digits, "probe"), "right"), "numbers")
                > 0.9);
    assert_non_null(json_object_get(json_object_get(head_of(ours, 1), "arithmetic"), "latents"));
    json_decref(ours);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void refuses_in_one_sentence(void **state)
{
    char circuit[1024];
    struct sae sae;

    (void)state;
    check_refused("method: successor", "which classes");
    check_refused("method: successor, data: jobs/circuits/ordinals.json, heads: [4.0]",
                  "no head 4.0");
    check_refused("method: successor, data: jobs/circuits/ordinals.json, generator: induction",
                  "no use for prompts");
    check_refused("method: successor, data: jobs/circuits/ordinals.json, numbers: years",
                  "no class \"years\"");
    check_refused("method: successor, data: jobs/circuits/ordinals.json, numbers: days",
                  "none of the 7 numbers ends in 0");
    sae_make(&sae, 8, 8, 10);
    assert_int_equal(sae_write_npz(&sae, in_scratch("narrow.npz")), OK);
    sae_free(&sae);
    snprintf(circuit, sizeof circuit, "method: successor, data: jobs/circuits/ordinals.json, "
             "autoencoder: %s", in_scratch("narrow.npz"));
    check_refused(circuit, "rows of 8 values");
    write_golden_prompts();
    snprintf(circuit, sizeof circuit, "prompts: [%s], method: ", in_scratch("golden.jsonl"));
    const size_t length = strlen(circuit);
    strcpy(circuit + length, "self_repair");
    check_refused(circuit, "which heads are ablated");
    strcpy(circuit + length, "self_repair, ablated: [0.9]");
    check_refused(circuit, "no head 0.9");
    strcpy(circuit + length, "copy_suppression, heads: [2.4, 1.1, 2.4]");
    check_refused(circuit, "two tasks are called copy_suppression-2.4");
    write_texts("texts.jsonl", "tokens", TEXTS, 2, CONTEXT);
    snprintf(circuit, sizeof circuit, "prompts: [%s], context: 48, method: self_repair, "
             "ablated: [0.0]", in_scratch("texts.jsonl"));
    check_refused(circuit, "prompt 1 has 0 \"answers\" and 0 \"wrong\"");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_suppression_agrees_with_the_reference),
        cmocka_unit_test(shorter_texts_count_up_to_their_ends),
        cmocka_unit_test(a_function_word_means_all_its_forms),
        cmocka_unit_test(the_predicted_drop_is_the_golden_direct_effect),
        cmocka_unit_test(the_mean_is_that_of_the_template),
        cmocka_unit_test(successor_scores_are_the_golden_ones),
        cmocka_unit_test(an_autoencoders_digits_are_found),
        cmocka_unit_test(refuses_in_one_sentence),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
