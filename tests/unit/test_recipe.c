/* The text of a recipe, by which a checkpoint knows whether it may be resumed. */
#include "step/recipe.h"
#include "suite/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The text of the only autoencoder of a suite with these lines in `train` and in its group. */
static char *text_of(const char *train, const char *group)
{
    char yaml[1024];
    struct suite suite;
    struct tasks tasks;
    struct recipe recipe;

    snprintf(yaml, sizeof yaml, "name: small\nmodel: {path: here}\ncorpus: {files: [a]}\n"
             "harvest: {sites: [mlp_in, mlp]}\ntrain: {%s}\n"
             "saes: [{sites: [mlp_in], layers: ['1'], widths: [64]%s}]\n", train, group);
    assert_int_equal(suite_parse(&suite, yaml, "small.yaml"), OK);
    assert_int_equal(tasks_make(&tasks, &suite, 2), OK);
    const struct tap_task *task = &tasks.train[tasks.taps_count - 1];
    assert_int_equal(task->count, 1);
    recipe_make(&recipe, &suite, &task->saes[0]);
    char *text = recipe_text(&recipe);
    tasks_free(&tasks);
    suite_free(&suite);
    return text;
}

static void it_tells_every_key_on_which_results_depend(void **state)
{
    char *text = text_of("", "");

    (void)state;
    for (const struct key *key = SUITE_KEYS; key < SUITE_KEYS + SUITE_KEYS_COUNT; key++) {
        const bool group = strcmp(key->section, "saes") == 0 && !key->list;
        char line[64];
        snprintf(line, sizeof line, "\n%s: ", key->name);
        if (group || (strcmp(key->section, "train") == 0 && !key->technical))
            assert_non_null(strstr(text, line));
    }
    free(text);
}

static void it_differs_if_the_recipe_does(void **state)
{
    static const char *const OTHERS[][2] = {
        { "bandwidth: 0.002", "" }, { "threshold_form: log", "" }, { "precision: bf16", "" },
        { "prefixes: [0.5, 1]", "" }, { "auxk_latents: 513", "" }, { "", ", tokens: 5e9" },
        { "", ", sparsities: [7e-4]" }, { "", ", target_l0: [20]" }, { "", ", recipe: gated" },
        { "", ", target: mlp" }, { "", ", target: mlp, skip: linear" },
    };
    enum { COUNT = sizeof OTHERS / sizeof *OTHERS };
    char *texts[COUNT + 1] = { text_of("", "") };

    (void)state;
    for (int i = 0; i < COUNT; i++)
        texts[i + 1] = text_of(OTHERS[i][0], OTHERS[i][1]);
    for (int i = 0; i <= COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(texts[i], texts[j]);
    for (int i = 0; i <= COUNT; i++)
        free(texts[i]);
}

static void how_often_it_is_saved_makes_no_difference(void **state)
{
    char *one = text_of("", ""), *other = text_of("checkpoint: 7", "");

    (void)state;
    assert_string_equal(one, other);
    free(other);
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_every_key_on_which_results_depend),
        cmocka_unit_test(it_differs_if_the_recipe_does),
        cmocka_unit_test(how_often_it_is_saved_makes_no_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
