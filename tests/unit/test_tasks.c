/* What a suite amounts to: streams, autoencoders, names and paths. */
#include "suite/layers.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LAYERS = 4 };

/* A suite around the given lines of "harvest" and "saes". */
static enum status make(struct tasks *tasks, struct suite *suite, const char *rest)
{
    char *yaml;

    refuse_clear();
    assert_true(asprintf(&yaml, "name: s\nrun: R\nmodel: {path: m}\ncorpus: {files: [a]}\n%s",
                         rest) > 0);
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
    free(yaml);
    return tasks_make(tasks, suite, LAYERS);
}

static void forget(struct tasks *tasks, struct suite *suite)
{
    tasks_free(tasks);
    suite_free(suite);
}

static void streams_are_ordered_by_layer_then_site(void **state)
{
    static const char *const TAPS[] = { "mlp.01", "res.01", "mlp.02", "res.02", "mlp.03",
                                        "res.03" };
    struct tasks tasks;
    struct suite suite;
    char name[32];

    (void)state;
    assert_int_equal(make(&tasks, &suite, "harvest: {sites: [res, mlp, res], layers: ['3', 1-2]}\n"
                                          "saes: [{sites: [res]}]\n"), OK);
    assert_int_equal(tasks.taps_count, 6);
    for (int t = 0; t < 6; t++)
        assert_string_equal(site_tap_name(name, tasks.taps[t]), TAPS[t]);
    for (int t = 0; t < 6; t++) {
        assert_string_equal(site_tap_name(name, tasks.train[t].tap), TAPS[t]);
        assert_int_equal(tasks.train[t].count, t % 2);
    }
    forget(&tasks, &suite);
}

static void groups_multiply_out_and_add_up(void **state)
{
    static const char *const NAMES[] = { "w64-l0.0006", "w64-l7e-05", "w128-l0.0006",
                                         "w128-l7e-05", "w128-t20", "w128-t2.5" };
    struct tasks tasks;
    struct suite suite;

    (void)state;
    assert_int_equal(make(&tasks, &suite,
                          "saes:\n"
                          "- {sites: [res], widths: [64, 128], sparsities: [6e-4, 7e-5],"
                          " tokens: 9}\n"
                          "- {sites: [res], layers: ['2'], widths: [128], target_l0: [20, 2.5]}\n"),
                     OK);
    assert_int_equal(tasks.taps_count, 3 * LAYERS);
    assert_int_equal(tasks.train[3].count, 0);
    assert_int_equal(tasks.train[5].count, 4);
    const struct tap_task *res2 = &tasks.train[8];
    assert_int_equal(res2->count, 6);
    for (int s = 0; s < 6; s++)
        assert_string_equal(res2->saes[s].name, NAMES[s]);
    assert_int_equal(res2->saes[2].width, 128);
    assert_true(res2->saes[3].sparsity == 7e-5);
    assert_true(res2->saes[3].target_l0 == 0);
    assert_int_equal(res2->saes[3].tokens, 9);
    assert_true(res2->saes[5].target_l0 == 2.5);
    assert_true(res2->saes[5].sparsity == 0);
    forget(&tasks, &suite);
}

static void names_tell_recipe_and_target(void **state)
{
    static const char *const NAMES[] = { "w64-t8", "w64-t8-topk", "w64-l0.1-gated",
                                         "w64-t8-to-mlp", "w64-t8-batch_topk-to-mlp-skip" };
    struct tasks tasks;
    struct suite suite;
    char name[32];

    (void)state;
    assert_int_equal(make(&tasks, &suite,
                          "harvest: {sites: [mlp, mlp_in], layers: ['1']}\n"
                          "saes:\n"
                          "- {sites: [mlp_in], widths: [64], target_l0: [8]}\n"
                          "- {sites: [mlp_in], widths: [64], target_l0: [8], recipe: topk}\n"
                          "- {sites: [mlp_in], widths: [64], sparsities: [0.1], recipe: gated}\n"
                          "- {sites: [mlp_in], widths: [64], target_l0: [8], target: mlp}\n"
                          "- {sites: [mlp_in], widths: [64], target_l0: [8], target: mlp,"
                          " recipe: batch_topk, skip: linear}\n"), OK);
    assert_int_equal(tasks.taps_count, 2);
    assert_int_equal(tasks.train[1].count, 5);
    for (int s = 0; s < 5; s++)
        assert_string_equal(tasks.train[1].saes[s].name, NAMES[s]);
    assert_false(tasks.train[1].saes[2].transcoder);
    assert_true(tasks.train[1].saes[3].transcoder && !tasks.train[1].saes[3].skip);
    assert_true(tasks.train[1].saes[4].skip);
    assert_string_equal(site_tap_name(name, tasks.train[1].saes[4].target), "mlp.01");
    forget(&tasks, &suite);
}

static void all_layers_of_autoencoders_are_those_harvested(void **state)
{
    struct tasks tasks;
    struct suite suite;

    (void)state;
    assert_int_equal(make(&tasks, &suite, "harvest: {layers: [1-2]}\nsaes: [{layers: [all]}]\n"),
                     OK);
    assert_int_equal(tasks.taps_count, 6);
    assert_int_equal(tasks.train[0].tap.layer, 1);
    assert_int_equal(tasks.train[5].tap.layer, 2);
    forget(&tasks, &suite);
}

static void refuses_what_does_not_fit_together(void **state)
{
    static const struct { const char *rest, *words; } CASES[] = {
        { "saes: [{layers: ['4']}]\n", "layers 4, but the model has 4, numbered from 0" },
        { "harvest: {layers: [2-5]}\nsaes: [{}]\n", "layers 2-5, but the model has 4" },
        { "saes: [{sites: [mlp_in]}]\n", "site mlp_in, which is not in harvest.sites" },
        { "harvest: {layers: [0-2]}\nsaes: [{sites: [res], layers: [2-3]}]\n",
          "res.03, which is not harvested" },
        { "saes: [{}, {sites: [mlp], layers: ['1']}]\n", "asks twice for the autoencoder "
          "w16384-l0.0006 of mlp.01" },
        { "saes: [{target_l0: [20, 20]}]\n", "asks twice" },
        { "saes: [{recipe: topk}]\n", "give that number as target_l0" },
        { "saes: [{recipe: gated, target_l0: [9]}]\n", "give coefficients of its penalty" },
        { "saes: [{recipe: batch_topk, widths: [8], target_l0: [9]}]\n", "cannot keep 9 of 8" },
        { "saes: [{recipe: topk, target_l0: [2.5]}]\n", "cannot keep 2.5" },
        { "train: {prefixes: [0.5, 0.25, 1]}\nsaes: [{}]\n", "prefixes must ascend to 1" },
        { "train: {prefixes: [0.5]}\nsaes: [{}]\n", "prefixes must ascend to 1" },
        { "saes: [{skip: linear}]\n", "is for transcoders" },
        { "harvest: {sites: [mlp_in]}\nsaes: [{sites: [mlp_in], target: mlp}]\n",
          "transcoders to mlp.00, which is not harvested" },
        { "saes: [{layers: ['1', 0-1], sites: [res], widths: [8, 8]}]\n", "w8-l0.0006 of res.00" },
        { "harvest: {sites: [mlp_in, mlp]}\nsaes: [{sites: [mlp], target: mlp_in}]\n",
          "from mlp to mlp_in, which the model computes before" },
        { "harvest: {sites: [mlp_in, mlp]}\nsaes: [{sites: [mlp_in], target: mlp, recipe: topk,"
          " target_l0: [4]}]\n", "no transcoders of the recipe topk" },
    };

    (void)state;
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        struct tasks tasks;
        struct suite suite;
        assert_int_equal(make(&tasks, &suite, CASES[c].rest), E_USAGE);
        if (strstr(refuse_reason(), CASES[c].words) == NULL)
            fail_msg("case %zu lacks \"%s\": %s", c, CASES[c].words, refuse_reason());
        forget(&tasks, &suite);
    }
    refuse_clear();
}

/* "saes: [{widths: [1, 2, ..., n], sparsities: [1, 2, ..., n]}]".  Caller frees. */
static char *square(int n)
{
    size_t length;
    char *text;
    FILE *out = open_memstream(&text, &length);

    for (int list = 0; list < 2; list++) {
        fputs(list == 0 ? "saes: [{widths: [" : "], sparsities: [", out);
        for (int i = 1; i <= n; i++)
            fprintf(out, "%s%d", i > 1 ? "," : "", i);
    }
    fputs("]}]\n", out);
    fclose(out);
    return text;
}

/* 65536 * 65536 is 0 in 32 bits.  (The YAML library makes a list longer by one at a time; under the
 * sanitizers each time is a copy.) */
static void refuses_more_autoencoders_than_a_stream_can_have(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    static const int SIZES[] = { 65, 1000 };
#else
    static const int SIZES[] = { 65, 1000, 65536 };
#endif
    struct tasks tasks;
    struct suite suite;
    char *text;

    (void)state;
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        text = square(SIZES[s]);
        assert_int_equal(make(&tasks, &suite, text), E_USAGE);
        assert_non_null(strstr(refuse_reason(), "but a stream can have 4096"));
        forget(&tasks, &suite);
        refuse_clear();
        free(text);
    }
    text = square(64);
    assert_int_equal(make(&tasks, &suite, text), OK);
    assert_int_equal(tasks.train[0].count, 4096);
    forget(&tasks, &suite);
    free(text);
}

static void paths_are_those_of_the_header(void **state)
{
    const struct tap tap = { SITE_RES, 1 };
    char path[PATH_LENGTH];
    struct tasks tasks;
    struct suite suite;

    (void)state;
    assert_int_equal(make(&tasks, &suite, "saes: [{}]\n"), OK);
    paths_tokens(path, &suite, 3);
    assert_string_equal(path, "R/tokens/00003.h5");
    paths_harvest(path, &suite, 3);
    assert_string_equal(path, "R/harvest/00003");
    paths_shuffle(path, &suite, tap);
    assert_string_equal(path, "R/shuffle/res.01");
    paths_sae(path, &suite, tap, "w1024-t20", ".tsv");
    assert_string_equal(path, "R/train/res.01/w1024-t20.tsv");
    paths_scores(path, &suite, tap, "w1024-t20");
    assert_string_equal(path, "R/evaluate/res.01/w1024-t20.json");
    paths_release(path, &suite);
    assert_string_equal(path, "R/release");
    forget(&tasks, &suite);
}

static void layers_are_read_by_three_forms_only(void **state)
{
    static const char *const WRONG[] = { "", "-", "3-", "-3", "9-3", "a", "3-9x", " 3", "3 - 9",
                                         "+3", "99999999999999999999", "All" };
    struct range range;

    (void)state;
    assert_true(layers_parse(&range, "7") && range.first == 7 && range.end == 8);
    assert_true(layers_parse(&range, "3-9") && range.first == 3 && range.end == 10);
    assert_true(layers_parse(&range, "4-4") && range.first == 4 && range.end == 5);
    assert_true(layers_parse(&range, "all") && range.first == 0 && range.end == INT64_MAX);
    for (size_t w = 0; w < sizeof WRONG / sizeof *WRONG; w++)
        if (layers_parse(&range, WRONG[w]))
            fail_msg("'%s' was taken for layers", WRONG[w]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_ordered_by_layer_then_site),
        cmocka_unit_test(groups_multiply_out_and_add_up),
        cmocka_unit_test(names_tell_recipe_and_target),
        cmocka_unit_test(all_layers_of_autoencoders_are_those_harvested),
        cmocka_unit_test(refuses_what_does_not_fit_together),
        cmocka_unit_test(paths_are_those_of_the_header),
        cmocka_unit_test(refuses_more_autoencoders_than_a_stream_can_have),
        cmocka_unit_test(layers_are_read_by_three_forms_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
