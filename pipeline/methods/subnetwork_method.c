#include "base/allocate.h"
#include "base/minmax.h"
#include "circuit/subnetwork.h"
#include "methods/edge_files.h"
#include "methods/subnetwork_page.h"
#include "methods/sweep_curve.h"
#include "methods/task_files.h"
#include "methods/trial.h"
#include "suite/paths.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t tasks(const struct suite *suite)
{
    return suite->circuit.penalties_count;
}

static void part_of(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    snprintf(part, METHODS_NAME, "%g", suite->circuit.penalties[task]);
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    enum status st;

    TRY(roc_points_check(suite, config));
    TRY(trial_check(suite, prompts));
done:
    return st;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    return trial_bytes(suite, config, shape) + trial_gates_bytes(config, shape);
}

/* A step goes forward twice and back once, which is about three forward passes. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    return (double)(tasks(suite) * suite->circuit.updates) * 5 * trial_work(config, shape);
}

/* --- the files --------------------------------------------------------------------------- */

/* What a training has found. */
struct found {
    const struct graph *graph;
    int32_t             count;      /* of gates */
    float              *log_alpha;  /* [count] */
    bool               *open;       /* [count] */
    double whole, value; /* the metric: all gates open, and the open ones alone */
    struct graph_edges  circuit;
};

static enum status write_table(const struct circuit *circuit, const char *name,
                               const struct found *found, const struct roc_points *point)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, circuit->suite, name, ".h5");
    TRY(edge_files_create(&file, part, path, circuit));
    TRY(h5_write_array(file, part, "log_alpha", H5T_NATIVE_FLOAT, found->log_alpha, found->count,
                       0));
    TRY(edge_files_put_point(file, part, point));
done:
    return task_files_publish(&file, part, path, st);
}

static json_t *summary_json(const struct circuit *circuit, const struct found *found,
                            const struct roc_points *point)
{
    json_t *summary = edge_files_summary(circuit), *gates = json_array();
    char text[GRAPH_NAME];

    for (int32_t i = 0; i < found->count; i++)
        if (found->open[i])
            json_array_append_new(gates, json_string(graph_receiver_name(text, found->graph, i)));
    run_note(circuit->run, "%lld of %lld gates are open; %s %.4g, of the whole model %.4g",
             (long long)json_array_size(gates), (long long)found->count,
             metric_name(circuit->suite->circuit.metric), found->value, found->whole);
    json_object_set_new(summary, "open", gates);
    json_object_set_new(summary, "edges", edge_files_list(&found->circuit));
    task_files_put(summary, "value", found->value);
    task_files_put(summary, "value_of_all_edges", found->whole);
    edge_files_sum_up_point(summary, point);
    return summary;
}

/* Local. */
static enum status write_results(const struct circuit *circuit, const char *name, double penalty,
                                 const struct found *found)
{
    struct reference reference = {0};
    json_t *summary = NULL;
    struct roc_points point;
    bool given;
    enum status st;

    TRY(roc_points_reference(&reference, &given, found->graph, circuit->suite));
    if (given)
        point = roc_points_of(&found->circuit, &reference);
    summary = summary_json(circuit, found, given ? &point : NULL);
    TRY(subnetwork_page_write(circuit, name, penalty, found->graph, found->log_alpha, summary));
    TRY(write_table(circuit, name, found, given ? &point : NULL));
    if (given)
        TRY(sweep_curve_write(circuit, "subnetwork-roc"));
    TRY(task_files_write(circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    reference_free(&reference);
    return st;
}

/* --- a training -------------------------------------------------------------------------- */

struct progress {
    struct run *run;
    double      since;
    int64_t     steps;
};

/* Collective. */
static enum status told(void *context, int64_t steps)
{
    const struct progress *progress = context;

    run_progress(progress->run, "trained", progress->since, 0, steps, progress->steps, "steps");
    return run_stopping(progress->run) ? run_stopped() : OK;
}

/* The metric of the open gates alone.  Collective. */
static void judge(struct found *found, struct experiment *e)
{
    struct graph_edges edges;

    for (int32_t i = 0; i < found->count; i++)
        found->open[i] = found->log_alpha[i] > 0;
    subnetwork_circuit(&found->circuit, found->graph, found->open);
    subnetwork_edges(&edges, found->graph, found->open);
    found->value = experiment_value(e, &edges, 0);
    graph_edges_free(&edges);
    graph_edges_make(&edges, found->graph, true);
    found->whole = experiment_value(e, &edges, 0);
    graph_edges_free(&edges);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct suite_circuit *asked = &circuit->suite->circuit;
    const struct subnetwork_options options = {
        .lambda = asked->penalties[task], .steps = asked->updates, .seed = (uint64_t)asked->seed,
    };
    struct progress progress = { circuit->run, MPI_Wtime(), options.steps };
    struct trial trial = {0};
    struct subnetwork gates = {0};
    struct found found = {0};
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY(trial_make(&trial, circuit));
    subnetwork_make(&gates, &trial.experiment);
    found = (struct found){
        .graph = &trial.graph, .count = gates.count,
        .log_alpha = allocate(gates.count, sizeof(float)),
        .open = allocate(gates.count, sizeof(bool)),
    };
    TRY(subnetwork_train(&gates, found.log_alpha, &options, told, &progress));
    judge(&found, &trial.experiment);
    TRY_ROOT(circuit->run->comm, write_results(circuit, name, options.lambda, &found));
done:
    graph_edges_free(&found.circuit);
    free(found.open);
    free(found.log_alpha);
    subnetwork_free(&gates);
    trial_free(&trial);
    return st;
}

const struct circuit_method SUBNETWORK_METHOD = {
    .name = "subnetwork", .tasks = tasks, .part = part_of,
    .check = check, .bytes = bytes, .work = work, .disk = edge_files_bytes,
    .run = run_task,
};
