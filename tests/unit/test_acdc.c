/* Searches for circuits against those of another implementation, in float64
 * (tests/golden/README.md). */
#include "base/allocate.h"
#include "circuit/acdc.h"
#include "circuit/experiment.h"
#include "tests/handmade.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The sanitizers look at memory, and see in two searches what there is to see in six. */
#ifdef __SANITIZE_ADDRESS__
enum { FIRST = 2, EVERY = 3 };
#else
enum { FIRST = 0, EVERY = 1 };
#endif

static const char MODEL[] = "jobs/circuits/tiny-gpt2", GOLDEN[] = "tests/golden/circuits/acdc.json";

/* tiny-gpt2 and the prompts of the searches. */
struct fixture {
    json_t                 *golden;
    struct weights          weights;
    struct graph            graph;
    int32_t                *clean, *corrupted, *io, *s;
    struct question        *questions;
    struct experiment_setup setup;
};

/* Numbers of a JSON array, nested or not. */
static int32_t *ids(const json_t *array, int64_t *count)
{
    const int64_t rows = (int64_t)json_array_size(array);
    const json_t *first = json_array_get(array, 0);
    const int64_t columns = json_is_array(first) ? (int64_t)json_array_size(first) : 1;
    int32_t *to = allocate(rows * columns, sizeof *to);

    for (int64_t i = 0; i < rows * columns; i++) {
        const json_t *at = json_array_get(array, (size_t)(i / columns));
        const json_t *id = json_is_array(at) ? json_array_get(at, (size_t)(i % columns)) : at;
        to[i] = (int32_t)json_integer_value(id);
    }
    *count = rows;
    return to;
}

static void set_up(struct fixture *f)
{
    struct lm_config config;
    int64_t prompts;

    *f = (struct fixture){ .golden = json_load_file(GOLDEN, 0, NULL) };
    assert_non_null(f->golden);
    assert_int_equal(config_read(&config, MODEL), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, MODEL, MPI_COMM_SELF), OK);
    assert_int_equal(graph_make(&f->graph, &f->weights.config, false), OK);
    f->clean = ids(json_object_get(f->golden, "tokens"), &prompts);
    f->corrupted = ids(json_object_get(f->golden, "tokens_abc"), &prompts);
    f->io = ids(json_object_get(f->golden, "io"), &prompts);
    f->s = ids(json_object_get(f->golden, "s"), &prompts);
    f->questions = allocate(prompts, sizeof *f->questions);
    const int32_t end = (int32_t)json_integer_value(json_object_get(f->golden, "end"));
    for (int64_t p = 0; p < prompts; p++)
        f->questions[p] = (struct question){ p, end, 1, 1, &f->io[p], &f->s[p] };
    f->setup = (struct experiment_setup){
        .weights = &f->weights, .graph = &f->graph, .clean = f->clean, .corrupted = f->corrupted,
        .prompts = prompts, .context = end + 1, .questions = f->questions, .count = prompts,
        .metric = METRIC_LOGIT_DIFFERENCE,
    };
}

static void tear_down(struct fixture *f)
{
    free(f->questions);
    free(f->clean);
    free(f->corrupted);
    free(f->io);
    free(f->s);
    weights_free(&f->weights);
    json_decref(f->golden);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static double value(void *context, const struct graph_edges *edges, int32_t receiver)
{
    return experiment_value(context, edges, receiver);
}

/* --- identities of the graph -------------------------------------------------------------- */

static void counts_the_edges_of_gpt2_small(void **state)
{
    struct lm_config config = { .layers = 12, .heads = 12, .kv_heads = 12, .mlp_width = 3072 };
    struct graph graph;

    (void)state;
    assert_int_equal(graph_make(&graph, &config, false), OK);
    assert_int_equal(graph_edges(&graph), 32491);
    assert_int_equal(graph_direct_edges(&graph), 432);
    config.mlp_width = 0;
    config.layers = 4;
    config.heads = config.kv_heads = 8;
    assert_int_equal(graph_make(&graph, &config, false), OK);
    assert_int_equal(graph_edges(&graph) + graph_direct_edges(&graph), 1377);
}

static void all_edges_are_the_clean_run_and_none_the_corrupted(void **state)
{
    struct fixture f;
    struct experiment e;
    struct graph_edges all, none;

    (void)state;
    set_up(&f);
    graph_edges_make(&all, &f.graph, true);
    graph_edges_make(&none, &f.graph, false);
    assert_int_equal(experiment_make(&e, &f.setup, MPI_COMM_SELF), OK);
    assert_true(fabs(-experiment_value(&e, &all, 0) - number(f.golden, "ld_clean")) < 5e-5);
    assert_true(fabs(-experiment_value(&e, &none, 0) - number(f.golden, "ld_empty")) < 5e-5);
    experiment_free(&e);
    f.setup.metric = METRIC_KL;
    assert_int_equal(experiment_make(&e, &f.setup, MPI_COMM_SELF), OK);
    assert_true(fabs(experiment_value(&e, &all, 0)) < 1e-5);
    assert_true(fabs(experiment_value(&e, &none, 0) / number(f.golden, "kl_empty") - 1) < 1e-5);
    experiment_free(&e);
    graph_edges_free(&none);
    graph_edges_free(&all);
    tear_down(&f);
}

/* --- searches ---------------------------------------------------------------------------- */

/* The same edges were tested, in the same order, with the same values and verdicts. */
static void check_steps(const struct acdc *acdc, const json_t *run, const struct graph *g)
{
    const json_t *tested = json_object_get(run, "tested");
    const json_t *values = json_object_get(run, "value_with_edge_removed");
    const char *removed = json_string_value(json_object_get(run, "removed"));
    char name[GRAPH_EDGE_NAME];

    assert_int_equal(acdc->count, json_array_size(tested));
    for (int64_t i = 0; i < acdc->count; i++) {
        const struct acdc_step *step = &acdc->steps[i];
        const double expected = json_number_value(json_array_get(values, (size_t)i));
        assert_string_equal(graph_edge_name(name, g, step->sender, step->receiver),
                            json_string_value(json_array_get(tested, (size_t)i)));
        assert_true(fabs(step->value - expected) < 1e-5 + 1e-4 * fabs(expected));
        assert_int_equal(step->removed, removed[i] == '1');
    }
}

/* These edges remain, and no others. */
static void check_edges(const struct graph_edges *edges, const json_t *run)
{
    const json_t *names = json_object_get(run, "edges");
    const struct graph *g = edges->graph;
    int32_t u, v;

    assert_int_equal(graph_edges_count(edges), json_array_size(names));
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        assert_int_equal(graph_edge_parse(&u, &v, g, name, "here"), OK);
        assert_true(u == GRAPH_DIRECT ? edges->direct[v] : edges->mask[v * g->senders + u] != 0);
    }
}

static void searches_as_another_implementation_does(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    const json_t *runs = json_object_get(f.golden, "runs");
    for (size_t i = FIRST; i < json_array_size(runs); i += EVERY) {
        const json_t *run = json_array_get(runs, i);
        const bool kl = strcmp(json_string_value(json_object_get(run, "metric")), "kl") == 0;
        struct experiment e;
        struct graph_edges edges;
        struct acdc acdc;

        f.setup.metric = kl ? METRIC_KL : METRIC_LOGIT_DIFFERENCE;
        assert_int_equal(experiment_make(&e, &f.setup, MPI_COMM_SELF), OK);
        graph_edges_make(&edges, &f.graph, true);
        const struct acdc_search search = {
            .options.threshold = number(run, "tau"), .value = value, .context = &e,
        };
        assert_int_equal(acdc_run(&acdc, &edges, &search), OK);
        check_steps(&acdc, run, &f.graph);
        check_edges(&edges, run);
        assert_true(fabs(acdc.value - number(run, "final_value")) < 5e-5);
        printf("    %s, threshold %g: %lld steps, %lld edges\n", kl ? "kl" : "ld",
               number(run, "tau"), (long long)acdc.count, (long long)graph_edges_count(&edges));
        acdc_free(&acdc);
        graph_edges_free(&edges);
        experiment_free(&e);
    }
    tear_down(&f);
}

/* --- models whose circuits are known -------------------------------------------------------- */

/* A search of a hand-made file, as a JSON object describes it. */
static void check_handmade_run(struct experiment_setup *setup, const json_t *run,
                               bool every_position)
{
    const bool zero = strcmp(json_string_value(json_object_get(run, "ablation")), "zero") == 0;
    const int64_t positions = every_position ? setup->context : 1;
    struct question *questions = allocate(setup->prompts * positions, sizeof *questions);
    struct experiment_setup own = *setup;
    struct graph_edges edges;
    struct experiment e;
    struct acdc acdc;

    for (int64_t i = 0; i < setup->prompts * positions; i++)
        questions[i] = (struct question){
            .prompt = i / positions,
            .position = (int32_t)(setup->context - positions + i % positions),
        };
    own.questions = questions;
    own.count = setup->prompts * positions;
    own.corrupted = zero ? NULL : setup->corrupted;
    own.metric = strcmp(json_string_value(json_object_get(run, "metric")), "kl") == 0
                     ? METRIC_KL
                     : METRIC_SQUARE;
    assert_int_equal(experiment_make(&e, &own, MPI_COMM_SELF), OK);
    graph_edges_make(&edges, setup->graph, true);
    const struct acdc_search search = {
        .options = { .threshold = number(run, "tau"), .zero = zero }, .value = value, .context = &e,
    };
    assert_int_equal(acdc_run(&acdc, &edges, &search), OK);
    check_steps(&acdc, run, setup->graph);
    check_edges(&edges, run);
    acdc_free(&acdc);
    graph_edges_free(&edges);
    experiment_free(&e);
    free(questions);
}

/* All searches of a hand-made model. */
static void check_handmade(const char *model, bool every_position)
{
    const hid_t file = handmade_open(model);
    struct weights weights;
    struct graph graph;
    char *text;

    handmade_make(&weights, file);
    assert_int_equal(graph_make(&graph, &weights.config, true), OK);
    struct experiment_setup setup = { .weights = &weights, .graph = &graph };
    int32_t *clean = handmade_ids(file, "tokens", &setup.prompts, &setup.context),
            *corrupted = NULL;
    if (H5Lexists(file, "tokens_corrupted", H5P_DEFAULT) > 0)
        corrupted = handmade_ids(file, "tokens_corrupted", &setup.prompts, &setup.context);
    setup.clean = clean;
    setup.corrupted = corrupted;
    text = handmade_text(file, "runs");
    json_t *runs = json_loads(text, 0, NULL);
    for (size_t i = 0; i < json_array_size(runs); i++)
        check_handmade_run(&setup, json_array_get(runs, i), every_position);
    json_decref(runs);
    free(text);
    free(corrupted);
    free(clean);
    weights_free(&weights);
    H5Fclose(file);
}

static void finds_the_share_of_x(void **state)
{
    (void)state;
    check_handmade("x_proportion", true);
}

static void finds_induction(void **state)
{
    (void)state;
    check_handmade("induction", false);
}

static void finds_one_of_two_that_are_enough(void **state)
{
    (void)state;
    check_handmade("or_gate", false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_the_edges_of_gpt2_small),
        cmocka_unit_test(all_edges_are_the_clean_run_and_none_the_corrupted),
        cmocka_unit_test(finds_the_share_of_x),
        cmocka_unit_test(finds_induction),
        cmocka_unit_test(finds_one_of_two_that_are_enough),
        cmocka_unit_test(searches_as_another_implementation_does),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
