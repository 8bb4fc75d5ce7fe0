/* The method path_patching: what each head sends to a receiver, by
 * circuit/path_patch.h.  A task for each receiver.
 */
#include "base/allocate.h"
#include "circuit/path_patch.h"
#include "heads/heads.h"
#include "methods/fields_page.h"
#include "methods/task_files.h"
#include "methods/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLEAN, EFFECT, FIELDS };

static const struct field TABLE[FIELDS] = {
    [CLEAN]  = { "value", FIELDS_PER_PROMPT, "metric" },
    [EFFECT] = { "effect", FIELDS_PER_HEAD, "change of the metric" },
};

enum { VERSION = 1 };

static int64_t tasks(const struct suite *suite)
{
    return suite->circuit.receivers_count;
}

static void part_of(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    snprintf(part, METHODS_NAME, "%s", suite->circuit.receivers[task]);
}

/* --- what is asked ------------------------------------------------------------------- */

static enum status find_receiver(int32_t *receiver, const struct suite *suite,
                                 const struct graph *g, int64_t task)
{
    const char *name = suite->circuit.receivers[task];
    char place[SUITE_PLACE];
    enum status st;

    suite_place(place, suite, "circuit", 0, "receivers");
    TRY(graph_receiver_parse(receiver, g, name, place));
    REQUIRE(
        graph_receiver_at(g, *receiver).part != GRAPH_MLP, E_USAGE,
        "%s: paths lead to queries, keys and values of heads and to final, and not to the MLP %s",
        place, name);
done:
    return st;
}

/* A head that is named, and not only one of all, must lie below each receiver. */
static enum status check_senders(const struct suite *suite, const struct graph *g,
                                 const bool *chosen, int32_t receiver, const char *name)
{
    const int32_t layer = graph_receiver_at(g, receiver).layer;
    char place[SUITE_PLACE];
    enum status st = OK;

    for (unsigned i = 0; i < suite->circuit.heads_count; i++)
        if (strcmp(suite->circuit.heads[i], "all") == 0)
            return OK;
    suite_place(place, suite, "circuit", 0, "heads");
    for (int32_t h = layer * g->heads; h < g->layers * g->heads; h++)
        REQUIRE(!chosen[h], E_USAGE, "%s: head %d.%d is not below the receiver %s, so no path "
                "leads from it there", place, (int)(h / g->heads), (int)(h % g->heads), name);
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    bool *chosen = allocate((int64_t)config->layers * config->heads, sizeof *chosen);
    struct graph graph;
    int32_t receiver;
    enum status st;

    TRY(trial_check(suite, prompts));
    TRY(graph_make(&graph, config, false));
    TRY(heads_choose(chosen, suite, config));
    for (int64_t task = 0; task < tasks(suite); task++) {
        TRY(find_receiver(&receiver, suite, &graph, task));
        TRY(check_senders(suite, &graph, chosen, receiver, suite->circuit.receivers[task]));
    }
done:
    free(chosen);
    return st;
}

/* --- what it takes ------------------------------------------------------------------- */

static int64_t bytes_of(const struct suite *suite, const struct lm_config *config,
                        struct circuit_shape shape)
{
    return 2 * trial_bytes(suite, config, shape)
         + fields_bytes(TABLE, FIELDS, config, shape.prompts);
}

/* A run of all prompts for each head, as if all lay below the receiver. */
static double work_of(const struct suite *suite, const struct lm_config *config,
                      struct circuit_shape shape)
{
    int64_t heads;

    if (heads_count(&heads, suite, config) != OK)
        refuse_clear();     /* check() will refuse it */
    return (double)tasks(suite) * (double)(heads + 3) * trial_work(config, shape);
}

static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    return fields_disk(TABLE, FIELDS, config, shape);
}

/* --- files --------------------------------------------------------------------------- */

static enum status write_page(const struct fields *fields, const char *name, const char *receiver)
{
    char about[256];

    snprintf(about, sizeof about, "what each head sends to %s; metric %s", receiver,
             metric_name(fields->circuit->suite->circuit.metric));
    return fields_page_write(fields, name, about);
}

static enum status write_files(const struct fields *fields, const char *name, const char *receiver)
{
    const struct circuit *circuit = fields->circuit;
    const double value = fields_mean(fields, CLEAN, 0);
    json_t *summary = task_files_summary(circuit), *list = json_array();

    json_object_set_new(summary, "prompts", json_integer(circuit->prompts->count));
    json_object_set_new(summary, "metric",
                        json_string(metric_name(circuit->suite->circuit.metric)));
    json_object_set_new(summary, "receiver", json_string(receiver));
    task_files_put(summary, "value", value);
    for (int64_t h = 0; h < fields_columns(FIELDS_PER_HEAD, circuit->config); h++) {
        const double effect = fields_mean(fields, EFFECT, h);
        json_t *head = json_object();
        json_object_set_new(head, "head", task_files_head(circuit->config, h));
        task_files_put(head, "effect", effect);
        task_files_put(head, "share", effect / value);
        json_array_append_new(list, head);
    }
    json_object_set_new(summary, "heads", list);
    enum status st = fields_write(fields, name, "saemill path_patching", VERSION);
    if (st == OK)
        st = write_page(fields, name, receiver);
    if (st == OK)
        return task_files_write(circuit, name, summary);
    json_decref(summary);
    return st;
}

/* --- the task ------------------------------------------------------------------------ */

struct work {
    const struct circuit *circuit;
    struct fields         fields;
    struct trial          clean, corrupted;
    bool                 *chosen;       /* [layers * heads] */
    struct path_patch     path;         /* to the receiver, of no sender yet */
};

/* The values of the clean run. */
static void measure_clean(struct work *work)
{
    struct graph_edges none;

    graph_edges_make(&none, &work->clean.graph, false);
    experiment_value(&work->clean.experiment, &none, 0);
    memcpy(work->fields.values[CLEAN], experiment_values(&work->clean.experiment),
           (size_t)work->circuit->prompts->count * sizeof(double));
    graph_edges_free(&none);
}

/* The effect of one head on all prompts: 0 if it does not lie below the receiver. */
static void measure_head(struct work *work, int32_t layer, int32_t head)
{
    const struct graph *g = &work->clean.graph;
    const int32_t sender = graph_head(g, layer, head), column = layer * g->heads + head;
    const bool below = layer < graph_receiver_at(g, work->path.receiver).layer;
    const double *before = work->fields.values[CLEAN];
    double *effect = work->fields.values[EFFECT] + column;

    if (work->chosen[column] && below) {
        work->path.senders = &sender;
        work->path.count = 1;
        path_patch_value(&work->clean.experiment, &work->corrupted.experiment, &work->path);
    }
    for (int64_t p = 0; p < work->circuit->prompts->count; p++)
        effect[p * g->layers * g->heads] =
            !work->chosen[column] ? (double)NAN
            : !below              ? 0
            : experiment_values(&work->clean.experiment)[p] - before[p];
}

/* Collective. */
static enum status measure(struct work *work)
{
    const struct lm_config *c = work->circuit->config;
    struct run *run = work->circuit->run;
    const double since = MPI_Wtime();
    enum status st = OK;

    measure_clean(work);
    for (int32_t h = 0; h < c->layers * c->heads; h++) {
        measure_head(work, h / c->heads, h % c->heads);
        run_progress(run, "patched", since, 0, h + 1, c->layers * c->heads, "heads");
        TRY(run_stopping(run) ? run_stopped() : OK);
    }
done:
    return st;
}

/* Both runs of all prompts, each as its own reference. */
static enum status make_trials(struct work *work)
{
    const struct circuit *circuit = work->circuit;
    enum status st;

    TRY(trial_make_plain(&work->clean, circuit, circuit->prompts->clean));
    TRY(trial_make_plain(&work->corrupted, circuit, circuit->prompts->corrupted));
done:
    return st;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct suite_circuit *options = &circuit->suite->circuit;
    struct work work = {
        .circuit = circuit,
        .path.frozen = options->mlps == MLPS_FROZEN, .path.questions = options->at == AT_END,
        .chosen = allocate((int64_t)circuit->config->layers * circuit->config->heads,
                           sizeof(bool)),
    };
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    fields_make(&work.fields, TABLE, FIELDS, circuit);
    TRY(make_trials(&work));
    TRY(heads_choose(work.chosen, circuit->suite, circuit->config));    /* check() has agreed */
    TRY(find_receiver(&work.path.receiver, circuit->suite, &work.clean.graph, task));
    TRY(measure(&work));
    TRY_ROOT(circuit->run->comm, write_files(&work.fields, name, options->receivers[task]));
done:
    trial_free(&work.corrupted);
    trial_free(&work.clean);
    free(work.chosen);
    fields_free(&work.fields);
    return st;
}

const struct circuit_method PATH_PATCHING_METHOD = {
    .name = "path_patching", .tasks = tasks, .part = part_of,
    .check = check, .bytes = bytes_of, .work = work_of,
    .disk = disk, .run = run_task,
};
