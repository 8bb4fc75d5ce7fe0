#include "circuit/acdc.h"
#include "methods/edge_files.h"
#include "methods/edge_page.h"
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
    (void)config;
    return trial_check(suite, prompts);
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
    search.most = edge_files_edges(circuit->config);
    search.since = search.saved = MPI_Wtime();
    search.known = before.count;
    graph_edges_make(&edges, &search.trial.graph, true);
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
    TRY_ROOT(circuit->run->comm, edge_page_acdc(circuit, name, how.options.threshold, &acdc,
                                                &edges));
    TRY_ROOT(circuit->run->comm, edge_files_write_acdc(circuit, name, &acdc, &edges));
done:
    acdc_free(&acdc);
    acdc_free(&before);
    graph_edges_free(&edges);
    trial_free(&search.trial);
    return st;
}

const struct circuit_method ACDC_METHOD = {
    .name = "acdc", .tasks = tasks, .part = part_of,
    .check = check, .bytes = trial_bytes, .work = work,
    .disk = edge_files_bytes, .run = run_task, .page = true,
};
