/* Circuits of heads at positions: against values that other code has computed in float64
 * (tests/golden/README.md), and searches whose result is known by hand. */
#include "circuit_scene.h"
#include "methods/knockout.h"
#include "methods/knockout_files.h"

enum { NODES = ALL * KNOCKOUT_CLASSES, STEPS = NODES, TRACE = 5 };

/* What the golden file says of the search. */
struct golden {
    double *single;             /* [NODES] */
    double *trace;              /* [STEPS, TRACE] layer, head, class, gone, F */
    double *whole;
};

static struct golden read_trace(const struct scene *scene)
{
    return (struct golden){ scene_golden(scene, "circuit/single"),
                            scene_golden(scene, "circuit/trace"),
                            scene_golden(scene, "circuit/F_M") };
}

static void free_trace(struct golden *golden)
{
    free(golden->single);
    free(golden->trace);
    free(golden->whole);
}

static int64_t node_of(const double *step)
{
    return ((int64_t)step[0] * HEADS + (int64_t)step[1]) * KNOCKOUT_CLASSES + (int64_t)step[2];
}

/* --- values of sets ------------------------------------------------------------------ */

static void check_value(struct knockout *k, const bool *set, double expected, const char *what)
{
    const double value = knockout_value(k, set);

    if (!(fabs(value - expected) < 1e-4))
        fail_msg("%s is %.9g, and not %.9g", what, value, expected);
}

/* Every 40th step of the golden search, with the set that it had then, and what remains. */
static void check_steps(struct knockout *k, const struct golden *golden, double of_circuit)
{
    bool set[NODES];

    memset(set, true, sizeof set);
    for (int i = 0; i < STEPS; i++) {
        const double *step = golden->trace + TRACE * i;
        set[node_of(step)] = false;
        if (i % 40 == 39)
            check_value(k, set, step[4], "a step");
        set[node_of(step)] = step[3] == 0;
    }
    check_value(k, set, of_circuit, "the circuit");
}

static void values_of_sets_agree_with_float64_code_of_others(void **state)
{
    static bool set[NODES];
    struct scene scene;
    struct knockout k;

    (void)state;
    scene_set_up(&scene, 100, "method: knockout");
    struct golden golden = read_trace(&scene);
    double *of_circuit = scene_golden(&scene, "circuit/F_C");
    double *of_none = scene_golden(&scene, "circuit/F_empty");
    const int64_t mover = node_of((double[]){ 2, 4, PROMPTS_END });
    assert_int_equal(knockout_make(&k, &scene.circuit), OK);
    assert_int_equal(k.nodes, NODES);
    check_value(&k, set, of_none[0], "F without any node");
    check_steps(&k, &golden, of_circuit[0]);
    memset(set, true, sizeof set);
    set[mover] = false;
    check_value(&k, set, golden.whole[0] + golden.single[mover], "F without 2.4 at END");
    knockout_free(&k);
    free(of_none);
    free(of_circuit);
    free_trace(&golden);
    scene_tear_down(&scene);
}

/* --- the search ---------------------------------------------------------------------- */

/* Gives the golden values in the order of the golden search. */
struct replay {
    const struct golden *golden;
    int64_t              calls;
};

static enum status replayed(void *context, double *value, const bool *set)
{
    struct replay *replay = context;
    const int64_t at = replay->calls++;

    (void)set;
    *value = replay->golden->whole[0];
    if (at > NODES)
        *value = replay->golden->trace[TRACE * (at - NODES - 1) + 4];
    else if (at > 0)
        *value += replay->golden->single[at - 1];
    return OK;
}

static struct node_space all_nodes(bool whole[NODES], struct replay *replay)
{
    memset(whole, true, NODES * sizeof *whole);
    return (struct node_space){
        .layers = LAYERS, .heads = HEADS, .classes = KNOCKOUT_CLASSES, .whole = whole,
        .value = replayed, .context = replay,
    };
}

/* From the golden values come the golden steps: their order, and each decision. */
static void decides_as_the_golden_search(void **state)
{
    bool whole[NODES];
    struct scene scene;
    struct node_search search;

    (void)state;
    scene_set_up(&scene, 1, "method: knockout");
    struct golden golden = read_trace(&scene);
    struct replay replay = { .golden = &golden };
    const struct node_space space = all_nodes(whole, &replay);
    assert_int_equal(node_search_run(&search, &space, (struct node_tolerance){ 0.1, 0.02 }), OK);
    assert_int_equal(search.count, STEPS);
    for (int i = 0; i < STEPS; i++) {
        const double *step = golden.trace + TRACE * i;
        assert_int_equal(search.steps[i].node, node_of(step));
        assert_int_equal(search.steps[i].removed, step[3] != 0);
    }
    node_search_free(&search);
    free_trace(&golden);
    scene_tear_down(&scene);
}

/* --- criteria, by hand --------------------------------------------------------------- */

/* Two layers of two heads, two classes.  Node v is worth v + 1, but node 7 is worth nothing while
 * node 6 is there: its backup. */
enum { SMALL = 8 };

static enum status worth(void *context, double *value, const bool *set)
{
    int64_t *calls = context;

    ++*calls;
    *value = 0;
    for (int v = 0; v < SMALL - 1; v++)
        *value += set[v] ? v + 1 : 0;
    *value += set[7] && !set[6] ? 8 : 0;
    return OK;
}

static const bool SMALL_WHOLE[SMALL] = { true, true, true, true, true, true, true, true };
static const bool SMALL_CIRCUIT[SMALL] = { [1] = true, [4] = true, [6] = true };

static struct node_space small_space(int64_t *calls)
{
    return (struct node_space){
        .layers = 2, .heads = 2, .classes = 2, .whole = SMALL_WHOLE, .value = worth,
        .context = calls,
    };
}

/* Without node 6 the whole model is worth 29, as its backup comes in: 28 + 8 - 7.  The circuit,
 * which lacks the backup, is worth 7. */
static void finds_that_a_circuit_lacks_a_backup(void **state)
{
    static const char *const NAMES[] = { "even", "odd" };
    static const struct { const char *label; double circuit, whole; } EXPECTED[] = {
        { "class even", 2, 28 - 5 - 7 + 8 }, { "class odd", 12, 28 - 2 },
        { "layer 0", 12, 28 - 2 }, { "layer 1", 2, 28 - 5 - 7 + 8 },
    };
    const struct node_plan plan = { .random = 2, .restarts = 2, .steps = 3, .samples = 3 };
    struct node_sets sets;
    int64_t calls = 0;

    (void)state;
    const struct node_space space = small_space(&calls);
    assert_int_equal(node_sets_run(&sets, &space, SMALL_CIRCUIT, NAMES, &plan), OK);
    for (int s = 0; s < 4; s++) {
        assert_string_equal(sets.set[s].label, EXPECTED[s].label);
        assert_true(sets.set[s].circuit == EXPECTED[s].circuit);
        assert_true(sets.set[s].whole == EXPECTED[s].whole);
    }
    for (int s = 4; s < sets.count; s++)
        for (int v = 0; v < SMALL; v++)
            assert_true(!sets.set[s].nodes[v] || SMALL_CIRCUIT[v]);
    assert_true(calls <= node_sets_evaluations(&space, &plan));
    node_sets_free(&sets);
}

/* With node 0, which the circuit lacks, nothing else matters; else node v is worth v + 1. */
static enum status worth_without_0(void *context, double *value, const bool *set)
{
    (void)context;
    *value = set[0] ? 100 : 0;
    for (int v = 1; v < SMALL; v++)
        *value += set[v] && !set[0] ? v + 1 : 0;
    return OK;
}

/* So the worst K of two nodes are the two that are worth most, found one after the other. */
static void a_greedy_search_adds_the_worst_nodes(void **state)
{
    static const char *const NAMES[] = { "even", "odd" };
    const struct node_plan plan = { .restarts = 2, .steps = 2, .samples = 3 };
    struct node_space space = small_space(NULL);
    struct node_sets sets;

    (void)state;
    space.value = worth_without_0;
    assert_int_equal(node_sets_run(&sets, &space, SMALL_CIRCUIT, NAMES, &plan), OK);
    const struct node_set *greedy = &sets.set[sets.count - 1];
    assert_string_equal(greedy->label, "greedy");
    for (int v = 0; v < SMALL; v++)
        assert_int_equal(greedy->nodes[v], v == 4 || v == 6);
    assert_true(greedy->circuit == 2 && greedy->whole == 100);
    node_sets_free(&sets);
}

static void each_node_of_a_circuit_is_worth_something(void **state)
{
    struct node_minimality result[SMALL];
    int64_t calls = 0;

    (void)state;
    const struct node_space space = small_space(&calls);
    assert_int_equal(node_sets_minimality(result, &space, SMALL_CIRCUIT), OK);
    for (int v = 0; v < SMALL; v++)
        if (SMALL_CIRCUIT[v]) {
            assert_true(result[v].circuit == 14);
            assert_true(result[v].without == 14 - (v + 1));
            assert_true(result[v].without_others - result[v].without_both == v + 1);
        }
    assert_true(result[1].without_both == 12 && result[6].without_others == 9);
}

/* --- files --------------------------------------------------------------------------- */

static void write_text(const char *path, const char *text)
{
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
}

/* A circuit that is given is judged; what is written is read again. */
static void judges_a_circuit_from_a_file(void **state)
{
    static const char CIRCUIT[] = "{\"nodes\": [{\"head\": \"2.4\", \"class\": \"END\"}, "
                                  "{\"head\": \"0.7\", \"class\": \"rest\"}]}";
    const bool used[KNOCKOUT_CLASSES] = { true, true, true, true, true, true };
    char keys[512];
    bool set[NODES];
    struct scene scene;

    (void)state;
    write_text(in_scratch("given.json"), CIRCUIT);
    snprintf(keys, sizeof keys, "method: knockout, nodes: %s, greedy_restarts: 1, greedy_steps: 1, "
             "random_sets: 1", in_scratch("given.json"));
    scene_set_up(&scene, 4, keys);
    scene_run(&scene);
    assert_int_equal(knockout_files_read(set, in_scratch("circuit/knockout.json"), &scene.config,
                                         used), OK);
    for (int64_t v = 0; v < NODES; v++)
        assert_int_equal(set[v], v == node_of((double[]){ 2, 4, PROMPTS_END })
                                 || v == node_of((double[]){ 0, 7, KNOCKOUT_REST }));
    int32_t *nodes = scene_result("knockout.h5", "nodes", H5T_NATIVE_INT32, sizeof *nodes);
    assert_memory_equal(nodes, ((int32_t[]){ 0, 7, 5, 2, 4, 4 }), 6 * sizeof *nodes);
    free(nodes);
    scene_tear_down(&scene);
}

static const struct { const char *text, *words; } REFUSALS[] = {
    { "{\"nodes\": [{\"head\": \"4.0\", \"class\": \"END\"}]}", "there is no head 4.0" },
    { "{\"nodes\": [{\"head\": \"2.4\", \"class\": \"MIDDLE\"}]}", "classes are IO" },
    { "{\"nodes\": [{\"head\": \"2.4\", \"class\": \"S2\"}]}", "no prompt has such a position" },
    { "{\"edges\": []}", "no list \"nodes\"" },
};

static void refuses_circuits_that_cannot_be(void **state)
{
    bool used[KNOCKOUT_CLASSES] = { true, true, true, false, true, true }, set[NODES];
    struct lm_config config;

    (void)state;
    assert_int_equal(config_read(&config, "jobs/circuits/tiny-gpt2"), OK);
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
        write_text(in_scratch("wrong.json"), REFUSALS[r].text);
        refuse_clear();
        assert_int_equal(knockout_files_read(set, in_scratch("wrong.json"), &config, used),
                         E_FORMAT);
        if (strstr(refuse_reason(), REFUSALS[r].words) == NULL)
            fail_msg("'%s' is not in: %s", REFUSALS[r].words, refuse_reason());
    }
    refuse_clear();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_sets_agree_with_float64_code_of_others),
        cmocka_unit_test(decides_as_the_golden_search),
        cmocka_unit_test(finds_that_a_circuit_lacks_a_backup),
        cmocka_unit_test(a_greedy_search_adds_the_worst_nodes),
        cmocka_unit_test(each_node_of_a_circuit_is_worth_something),
        cmocka_unit_test(judges_a_circuit_from_a_file),
        cmocka_unit_test(refuses_circuits_that_cannot_be),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
