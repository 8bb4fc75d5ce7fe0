#include "base/agree.h"
#include "base/allocate.h"
#include "methods/knockout_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Seconds between two savings of values. */
static const double SAVE_EVERY = 30;

/* The share of all nodes that a circuit is taken to have before it is searched: that of tiny-gpt2's
 * for indirect objects. */
static const double CIRCUIT_SHARE = 0.12;

static bool is_given(const struct suite *suite)
{
    return suite->circuit.nodes[0] != '\0';
}

static struct node_space space_of(const struct lm_config *config)
{
    return (struct node_space){
        .layers = config->layers, .heads = config->heads, .classes = KNOCKOUT_CLASSES,
    };
}

static struct node_plan plan_of(const struct suite *suite)
{
    const struct suite_circuit *c = &suite->circuit;

    return (struct node_plan){
        .random = c->random_sets, .restarts = c->greedy_restarts, .steps = c->greedy_steps,
        .samples = c->greedy_samples, .seed = (uint64_t)c->seed,
    };
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    const struct node_space space = space_of(config);
    bool *set = allocate(node_search_nodes(&space), sizeof *set), used[KNOCKOUT_CLASSES];
    enum status st;

    TRY(differences_check(prompts, "knockout"));
    knockout_classes(used, prompts);
    if (is_given(suite))
        TRY(knockout_files_read(set, suite->circuit.nodes, config, used));
done:
    free(set);
    return st;
}

/* --- what it takes ------------------------------------------------------------------- */

/* Evaluations, if the circuit is this share of all nodes. */
static double evaluations(const struct suite *suite, const struct lm_config *config, double share)
{
    const struct node_space space = space_of(config);
    const struct node_plan plan = plan_of(suite);
    const double nodes = (double)node_search_nodes(&space);

    return 3 + (is_given(suite) ? 0 : 1 + 2 * nodes)
         + (double)node_sets_evaluations(&space, &plan) + KNOCKOUT_CLASSES + 1 + 2 * share * nodes;
}

static int64_t bytes_of(const struct suite *suite, const struct lm_config *config,
                        struct circuit_shape shape)
{
    const struct node_space space = space_of(config);
    const struct node_plan plan = plan_of(suite);
    const int64_t nodes = node_search_nodes(&space);
    const int64_t each = (int64_t)sizeof(double) + (int64_t)sizeof(struct node_step)
                       + (int64_t)sizeof(struct node_minimality) + node_sets_most(&space, &plan);

    return knockout_bytes(suite, config, shape) + nodes * each
         + (int64_t)evaluations(suite, config, 1) * 2 * (int64_t)sizeof(double)
         + KNOCKOUT_MODELS * shape.prompts * (int64_t)sizeof(double);
}

static double work_of(const struct suite *suite, const struct lm_config *config,
                      struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };

    return evaluations(suite, config, CIRCUIT_SHARE) * (double)shape.prompts
         * (forward_work(config, end, shape.tokens) + head_work(config));
}

/* --- the task ------------------------------------------------------------------------ */

/* Sets are evaluated in the same order by each start of the task, so an interrupted one goes on by
 * taking the values that were found before. */
struct work {
    const struct circuit *circuit;
    const char           *name;
    struct knockout       knockout;
    bool                 *whole, *none;     /* [nodes] */
    double               *known;    /* [known_count] of an earlier start */
    int64_t               known_count;
    double               *values;   /* [count] in order */
    int64_t               count, most;
    double                since, saved;
};

static enum status evaluate(void *context, double *value, const bool *set)
{
    struct work *work = context;
    struct run *run = work->circuit->run;
    const bool stopping = run_stopping(run);
    enum status st = OK;

    if (run->rank == 0 && (stopping || MPI_Wtime() - work->saved > SAVE_EVERY)) {
        st = knockout_files_save(work->circuit, work->name, work->values, work->count);
        work->saved = MPI_Wtime();
    }
    TRY(agree(run->comm, st));
    TRY(stopping ? run_stopped() : OK);
    *value = work->count < work->known_count ? work->known[work->count]
           : knockout_value(&work->knockout, set);
    REQUIRE(isfinite(*value), E_NUMERIC, "the logit difference without some heads is infinite or "
            "not a number");
    work->values[work->count++] = *value;
    run_progress(run, "evaluated", work->since, work->known_count, work->count, work->most,
                 "sets of nodes at most");
done:
    return st;
}

/* Take the circuit from its file, or search it. */
static enum status find_circuit(struct knockout_results *results, struct work *work)
{
    const struct circuit *circuit = work->circuit;
    const struct suite_circuit *options = &circuit->suite->circuit;
    const struct node_tolerance tolerance = { options->tolerance, options->node_tolerance };
    bool used[KNOCKOUT_CLASSES];
    enum status st;

    if (!is_given(circuit->suite))
        return node_search_run(&results->search, results->space, tolerance);
    knockout_classes(used, circuit->prompts);
    results->search.circuit = allocate(work->knockout.nodes, sizeof(bool));
    TRY_ALL(circuit->run->comm, knockout_files_read(results->search.circuit, options->nodes,
                                                    circuit->config, used));
done:
    return st;
}

/* The logit differences of all prompts: of the whole model, the circuit, and without any node. */
static void find_differences(struct knockout_results *results, struct work *work)
{
    const bool *const sets[KNOCKOUT_MODELS] = {
        [KNOCKOUT_WHOLE] = work->whole, [KNOCKOUT_CIRCUIT] = results->search.circuit,
        [KNOCKOUT_EMPTY] = work->none,
    };
    const size_t bytes = (size_t)work->circuit->prompts->count * sizeof(double);

    for (int m = 0; m < KNOCKOUT_MODELS; m++) {
        results->mean[m] = knockout_value(&work->knockout, sets[m]);
        memcpy(results->difference[m], work->knockout.values, bytes);
    }
}

static enum status judge(struct knockout_results *results, struct work *work)
{
    const struct node_plan plan = plan_of(work->circuit->suite);
    const char *names[KNOCKOUT_CLASSES];
    enum status st;

    for (int c = 0; c < KNOCKOUT_CLASSES; c++)
        names[c] = knockout_class_name(c);
    TRY(find_circuit(results, work));
    TRY(node_sets_run(&results->sets, results->space, results->search.circuit, names, &plan));
    TRY(node_sets_minimality(results->minimality, results->space, results->search.circuit));
    find_differences(results, work);
done:
    return st;
}

/* Knockouts, the nodes that exist, and what is known of an earlier start. */
static enum status make_work(struct work *work, const struct circuit *circuit, const char *name)
{
    bool used[KNOCKOUT_CLASSES];
    enum status st;

    *work = (struct work){ .circuit = circuit, .name = name };
    TRY(knockout_make(&work->knockout, circuit));
    work->most = (int64_t)evaluations(circuit->suite, circuit->config, 1);
    work->values = allocate(work->most, sizeof *work->values);
    work->whole = allocate(work->knockout.nodes, sizeof *work->whole);
    work->none = allocate(work->knockout.nodes, sizeof *work->none);
    knockout_classes(used, circuit->prompts);
    for (int64_t v = 0; v < work->knockout.nodes; v++)
        work->whole[v] = used[v % KNOCKOUT_CLASSES];
    TRY_ALL(circuit->run->comm, knockout_files_resume(circuit, name, &work->known,
                                                      &work->known_count));
    if (work->known_count > 0)
        run_note(circuit->run, "%s: goes on after %lld sets", name, (long long)work->known_count);
    work->since = work->saved = MPI_Wtime();
done:
    return st;
}

static void free_work(struct work *work)
{
    knockout_free(&work->knockout);
    free(work->whole);
    free(work->none);
    free(work->known);
    free(work->values);
}

static void make_results(struct knockout_results *results, const struct node_space *space,
                         const struct circuit *circuit)
{
    *results = (struct knockout_results){
        .circuit = circuit, .space = space,
        .minimality = allocate(node_search_nodes(space), sizeof *results->minimality),
    };
    for (int m = 0; m < KNOCKOUT_MODELS; m++)
        results->difference[m] = allocate(circuit->prompts->count, sizeof(double));
}

static void free_results(struct knockout_results *results)
{
    for (int m = 0; m < KNOCKOUT_MODELS; m++)
        free(results->difference[m]);
    free(results->minimality);
    node_sets_free(&results->sets);
    node_search_free(&results->search);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    struct node_space space = space_of(circuit->config);
    char name[METHODS_NAME], path[PATH_LENGTH];
    struct knockout_results results;
    struct work work;
    enum status st;

    methods_name(name, circuit->suite, task);
    paths_result(path, circuit->suite, name, KNOCKOUT_FILES_VALUES);
    make_results(&results, &space, circuit);
    TRY(make_work(&work, circuit, name));
    space.whole = work.whole;
    space.value = evaluate;
    space.context = &work;
    TRY(judge(&results, &work));
    TRY_ROOT(circuit->run->comm, knockout_files_write(&results, name));
    TRY_ROOT(circuit->run->comm, file_remove(path));
done:
    free_work(&work);
    free_results(&results);
    return st;
}

const struct circuit_method KNOCKOUT_METHOD = {
    .name = "knockout", .check = check, .bytes = bytes_of, .work = work_of,
    .disk = knockout_files_bytes, .run = run_task,
};
