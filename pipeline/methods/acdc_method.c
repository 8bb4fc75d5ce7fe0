#include "base/allocate.h"
#include "base/minmax.h"
#include "circuit/acdc.h"
#include "methods/edge_files.h"
#include "methods/edge_page.h"
#include "methods/sweep_curve.h"
#include "methods/trial.h"

#include <stdio.h>
#include <stdlib.h>

/* Seconds between two savings of the steps. */
static const double SAVE_EVERY = 30;

/* --- what it takes ----------------------------------------------------------------------- */

static int64_t tasks(const struct suite *suite)
{
    return suite->circuit.thresholds_count;
}

static void part_of(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    snprintf(part, METHODS_NAME, "%g", suite->circuit.thresholds[task]);
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    enum status st;

    if (suite->circuit.keep > 0)
        TRY(eap_check(suite->circuit.metric, (int)suite->circuit.steps));
    TRY(roc_points_check(suite, config));
    TRY(trial_check(suite, prompts));
done:
    return st;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    return trial_bytes(suite, config, shape)
         + (suite->circuit.keep > 0 ? trial_scores_bytes(config, shape) : 0);
}

/* The edges that may be tested. */
static int64_t most_edges(const struct suite *suite, const struct lm_config *config)
{
    const int64_t all = edge_files_edges(config), kept = suite->circuit.keep;

    /* A kept edge may bring a direct one. */
    return kept > 0 ? min_int64(2 * kept, all) : all;
}

/* The share of all edges that a search tests: edges into what nothing reads any more are dropped
 * untested.  Six searches of a model of 1,616 edges, thresholds 0.003 to 0.3, tested from 0.10 to
 * 0.53 of them, the fewer the larger the threshold (tests/golden, acdc.json).  So a search may take
 * up to four times as long as estimated. */
static const double TESTED = 0.25;

/* An edge is tested by a run of half of the layers on average. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    return (double)tasks(suite) * TESTED * (double)edge_files_edges(config) / 2
           * trial_work(config, shape);
}

/* --- a search ---------------------------------------------------------------------------- */

struct search {
    const struct circuit *circuit;
    struct trial          trial;
    const char           *name;     /* of the task */
    int64_t               most;     /* tests at most */
    double                since, saved;
    int64_t               known;    /* steps of an earlier start */
};

static double value(void *context, const struct graph_edges *edges, int32_t receiver)
{
    struct search *search = context;

    return experiment_value(&search->trial.experiment, edges, receiver);
}

/* Say how far it is; save the steps now and then, and when a signal asks to stop.  Collective. */
static enum status told(void *context, const struct acdc *acdc)
{
    struct search *search = context;
    const struct circuit *circuit = search->circuit;
    const bool stopping = run_stopping(circuit->run);
    enum status st = OK;

    run_progress(circuit->run, "tested", search->since, search->known, acdc->count, search->most,
                 "edges at most");
    if (circuit->run->rank == 0 && (stopping || MPI_Wtime() - search->saved > SAVE_EVERY)) {
        st = edge_files_save(circuit, search->name, acdc);
        search->saved = MPI_Wtime();
    }
    TRY(agree(circuit->run->comm, st));
    TRY(stopping ? run_stopped() : OK);
done:
    return st;
}

/* The edges to begin with: all, or those with the largest scores.  Collective. */
static enum status begin(struct graph_edges *edges, struct trial *trial,
                         const struct suite_circuit *options)
{
    const struct graph *g = &trial->graph;
    struct eap eap = {0};
    enum status st = OK;

    if (options->keep == 0) {
        graph_edges_make(edges, g, true);
        return OK;
    }
    TRY(eap_run(&eap, &trial->experiment, (int)options->steps));
    int32_t (*ranked)[2] = allocate(graph_edges(g), sizeof *ranked);
    eap_rank(ranked, &eap, g);
    eap_circuit(edges, g, (const int32_t (*)[2])ranked, min_int64(options->keep, graph_edges(g)));
    free(ranked);
done:
    eap_free(&eap);
    return st;
}

/* Write the task's files, and the curve of all tasks if it is the last one.  Local. */
static enum status write_results(const struct circuit *circuit, const char *name, double threshold,
                                 const struct acdc *acdc, const struct graph_edges *edges)
{
    struct reference reference = {0};
    struct roc_points point;
    bool given;
    enum status st;

    TRY(roc_points_reference(&reference, &given, edges->graph, circuit->suite));
    if (given)
        point = roc_points_of(edges, &reference);
    TRY(edge_page_acdc(circuit, name, threshold, acdc, edges));
    TRY(edge_files_write_acdc(circuit, name, acdc, given ? &point : NULL));
    if (given)
        TRY(sweep_curve_write(circuit, "acdc-roc"));
    TRY(edge_files_sum_up_acdc(circuit, name, acdc, edges, given ? &point : NULL));
done:
    reference_free(&reference);
    return st;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct suite_circuit *options = &circuit->suite->circuit;
    char name[METHODS_NAME];
    struct search search = { .circuit = circuit, .name = name };
    struct graph_edges edges = {0};
    struct acdc acdc = {0}, before = {0};
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY(edge_files_resume(circuit, name, &before));
    TRY(trial_make(&search.trial, circuit));
    search.most = most_edges(circuit->suite, circuit->config);
    search.since = search.saved = MPI_Wtime();
    search.known = before.count;
    TRY(begin(&edges, &search.trial, options));
    const struct acdc_search how = {
        .options = {
            .threshold = options->thresholds[task],
            .absolute = options->change == CHANGE_ABSOLUTE,
            .zero = options->ablation == ABLATION_ZERO,
            .order = options->order == ORDER_NORMAL ? ACDC_NORMAL : ACDC_REVERSE,
        },
        .value = value, .context = &search, .told = told,
        .known = before.steps, .count = before.count,
    };
    TRY(acdc_run(&acdc, &edges, &how));
    TRY_ROOT(circuit->run->comm,
             write_results(circuit, name, how.options.threshold, &acdc, &edges));
done:
    acdc_free(&acdc);
    acdc_free(&before);
    graph_edges_free(&edges);
    trial_free(&search.trial);
    return st;
}

const struct circuit_method ACDC_METHOD = {
    .name = "acdc", .tasks = tasks, .part = part_of,
    .check = check, .bytes = bytes, .work = work,
    .disk = edge_files_bytes, .run = run_task,
};
