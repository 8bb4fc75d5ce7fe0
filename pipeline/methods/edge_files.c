#include "methods/edge_files.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "circuit/importance.h"
#include "methods/edge_page.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

static const char FORMAT[] = "saemill edges";

int64_t edge_files_edges(const struct lm_config *config)
{
    struct graph graph;

    if (graph_make(&graph, config, false) != OK)
        die("bug: %s", refuse_reason());
    return graph_edges(&graph) + graph_direct_edges(&graph);
}

double edge_files_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    (void)shape;
    return (double)edge_files_edges(config) * (2 * sizeof(double) + 3 * sizeof(int32_t));
}

/* --- steps ------------------------------------------------------------------------------- */

/* A column of the steps, as a file has it. */
static int32_t *column(const struct acdc *acdc, int which)
{
    int32_t *values = allocate(acdc->count, sizeof *values);

    for (int64_t i = 0; i < acdc->count; i++) {
        const struct acdc_step *step = &acdc->steps[i];
        values[i] = which == 0 ? step->sender : which == 1 ? step->receiver : step->removed;
    }
    return values;
}

static const char *const COLUMNS[] = { "step_sender", "step_receiver", "step_removed" };

static enum status write_steps(hid_t file, const char *path, const struct acdc *acdc)
{
    double *values = allocate(acdc->count, sizeof *values);
    enum status st = OK;

    for (int64_t i = 0; i < acdc->count; i++)
        values[i] = acdc->steps[i].value;
    for (int c = 0; c < 3; c++) {
        int32_t *numbers = column(acdc, c);
        st = st != OK ? st : h5_write_array(file, path, COLUMNS[c], H5T_NATIVE_INT32, numbers,
                                            acdc->count, 0);
        free(numbers);
    }
    TRY(st);
    TRY(h5_write_array(file, path, "step_value", H5T_NATIVE_DOUBLE, values, acdc->count, 0));
    TRY(h5_write_int(file, path, "steps", acdc->count));
    TRY(h5_write_double(file, path, "start", acdc->start));
    TRY(h5_write_double(file, path, "value", acdc->value));
done:
    free(values);
    return st;
}

static enum status read_steps(hid_t file, const char *path, struct acdc *acdc)
{
    int32_t *numbers = NULL;
    double *values = NULL;
    enum status st;

    TRY(h5_read_int(file, path, "steps", &acdc->count));
    acdc->steps = allocate(acdc->count, sizeof *acdc->steps);
    numbers = allocate(3 * acdc->count, sizeof *numbers);
    values = allocate(acdc->count, sizeof *values);
    for (int c = 0; c < 3; c++)
        TRY(h5_read_array(file, path, COLUMNS[c], H5T_NATIVE_INT32, numbers + c * acdc->count,
                          acdc->count, 0));
    TRY(h5_read_array(file, path, "step_value", H5T_NATIVE_DOUBLE, values, acdc->count, 0));
    for (int64_t i = 0; i < acdc->count; i++)
        acdc->steps[i] = (struct acdc_step){
            .sender = numbers[i], .receiver = numbers[acdc->count + i], .value = values[i],
            .removed = numbers[2 * acdc->count + i] != 0,
        };
done:
    free(values);
    free(numbers);
    return st;
}

/* --- files ------------------------------------------------------------------------------- */

enum status edge_files_create(hid_t *file, char part[PATH_LENGTH], const char *path,
                              const struct circuit *circuit)
{
    enum status st;

    TRY(task_files_create(file, part, path, circuit, FORMAT, VERSION));
    TRY(h5_write_int(*file, part, "kv_heads", circuit->config->kv_heads));
done:
    return st;
}

enum status edge_files_save(const struct circuit *circuit, const char *name,
                            const struct acdc *acdc)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, circuit->suite, name, ".steps.h5");
    TRY(edge_files_create(&file, part, path, circuit));
    TRY(write_steps(file, part, acdc));
done:
    return task_files_publish(&file, part, path, st);
}

static enum status check_file(hid_t file, const char *path, const struct circuit *circuit)
{
    enum status st;

    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(identity_check(file, path, &circuit->identity));
done:
    return st;
}

static enum status read_saved(const struct circuit *circuit, const char *path, struct acdc *before)
{
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(check_file(file, path, circuit));
    TRY(read_steps(file, path, before));
done:
    return h5_close(&file, path, st);
}

enum status edge_files_resume(const struct circuit *circuit, const char *name, struct acdc *before)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    paths_result(path, circuit->suite, name, ".steps.h5");
    if (!comm_file_exists(circuit->run->comm, path))
        return OK;
    TRY_ALL(circuit->run->comm, read_saved(circuit, path, before));
    run_note(circuit->run, "%s: goes on after %lld tests", name, (long long)before->count);
done:
    return st;
}

/* --- summaries --------------------------------------------------------------------------- */

json_t *edge_files_summary(const struct circuit *circuit)
{
    json_t *object = task_files_summary(circuit);

    json_object_set_new(object, "metric",
                        json_string(metric_name(circuit->suite->circuit.metric)));
    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    return object;
}

static json_t *edge_json(const struct graph *g, int32_t sender, int32_t receiver)
{
    char name[GRAPH_EDGE_NAME];

    return json_string(graph_edge_name(name, g, sender, receiver));
}

json_t *edge_files_list(const struct graph_edges *edges)
{
    const struct graph *g = edges->graph;
    json_t *list = json_array();

    for (int32_t v = 0; v < g->receivers; v++)
        for (int32_t u = 0; u < g->senders; u++)
            if (edges->mask[v * g->senders + u] != 0)
                json_array_append_new(list, edge_json(g, u, v));
    for (int32_t v = 0; v < g->receivers; v++)
        if (edges->direct[v])
            json_array_append_new(list, edge_json(g, GRAPH_DIRECT, v));
    return list;
}

/* --- acdc -------------------------------------------------------------------------------- */

static const char POINT[] = "roc_point";

enum status edge_files_put_point(hid_t file, const char *part, const struct roc_points *point)
{
    if (point == NULL)
        return OK;
    const double values[] = { point->edges.wrong, point->edges.right, point->nodes.wrong,
                              point->nodes.right };
    return h5_write_array(file, part, POINT, H5T_NATIVE_DOUBLE, values, 4, 0);
}

enum status edge_files_write_acdc(const struct circuit *circuit, const char *name,
                                  const struct acdc *acdc, const struct roc_points *point)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, circuit->suite, name, ".h5");
    TRY(edge_files_create(&file, part, path, circuit));
    TRY(write_steps(file, part, acdc));
    TRY(edge_files_put_point(file, part, point));
done:
    return task_files_publish(&file, part, path, st);
}

enum status edge_files_read_point(const struct circuit *circuit, const char *path,
                                  struct roc_points *point)
{
    double values[4];
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(check_file(file, path, circuit));
    TRY(h5_read_array(file, path, POINT, H5T_NATIVE_DOUBLE, values, 4, 0));
    *point = (struct roc_points){ { values[0], values[1] }, { values[2], values[3] } };
done:
    return h5_close(&file, path, st);
}

static json_t *point_json(struct roc_point point)
{
    json_t *object = json_object();

    task_files_put(object, "wrong", point.wrong);
    task_files_put(object, "right", point.right);
    return object;
}

void edge_files_sum_up_point(json_t *summary, const struct roc_points *point)
{
    if (point == NULL)
        return;
    json_object_set_new(summary, "by_edges", point_json(point->edges));
    json_object_set_new(summary, "by_nodes", point_json(point->nodes));
}

enum status edge_files_sum_up_acdc(const struct circuit *circuit, const char *name,
                                   const struct acdc *acdc, const struct graph_edges *edges,
                                   const struct roc_points *point)
{
    json_t *summary = edge_files_summary(circuit);
    char path[PATH_LENGTH];
    enum status st;

    edge_files_sum_up_point(summary, point);
    json_object_set_new(summary, "tests", json_integer(acdc->count));
    json_object_set_new(summary, "value_of_all_edges", json_real(acdc->start));
    json_object_set_new(summary, "value", json_real(acdc->value));
    json_object_set_new(summary, "edges", edge_files_list(edges));
    run_note(circuit->run,
             "%lld of %lld edges remain after %lld tests; %s %.4g, before them "
             "%.4g",
             (long long)graph_edges_count(edges), (long long)edge_files_edges(circuit->config),
             (long long)acdc->count, metric_name(circuit->suite->circuit.metric), acdc->value,
             acdc->start);
    TRY(task_files_write(circuit, name, summary));
    paths_result(path, circuit->suite, name, ".steps.h5");
    TRY(file_remove(path));
done:
    return st;
}

/* --- eap --------------------------------------------------------------------------------- */

static enum status write_eap_table(const struct circuit *circuit, const char *path,
                                   const struct graph *g, const struct eap *eap)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    TRY(edge_files_create(&file, part, path, circuit));
    TRY(h5_write_array(file, part, "score", H5T_NATIVE_DOUBLE, eap->score, g->receivers,
                       g->senders));
    TRY(h5_write_array(file, part, "absolute", H5T_NATIVE_DOUBLE, eap->absolute, g->receivers,
                       g->senders));
    TRY(h5_write_array(file, part, "importance", H5T_NATIVE_DOUBLE, eap->importance, g->senders,
                       0));
done:
    return task_files_publish(&file, part, path, st);
}

/* The edges with the largest scores. */
static json_t *strongest_json(const struct graph *g, const struct eap *eap)
{
    enum { STRONGEST = 100 };
    int32_t (*ranked)[2] = allocate(graph_edges(g), sizeof *ranked);
    json_t *list = json_array();

    eap_rank(ranked, eap, g);
    for (int64_t i = 0; i < graph_edges(g) && i < STRONGEST; i++) {
        const int32_t u = ranked[i][0], v = ranked[i][1];
        json_t *object = json_object();
        json_object_set_new(object, "edge", edge_json(g, u, v));
        json_object_set_new(object, "score", json_real(eap->score[v * g->senders + u]));
        json_array_append_new(list, object);
    }
    free(ranked);
    return list;
}

/* Heads and MLPs, the most important first. */
static json_t *importance_json(const struct graph *g, const double *importance)
{
    int32_t *ranked = allocate(g->senders, sizeof *ranked);
    json_t *list = json_array();
    char name[GRAPH_NAME];

    importance_rank(ranked, importance, g);
    for (int32_t i = 0; i < g->senders - g->embeddings; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "node", json_string(graph_sender_name(name, g, ranked[i])));
        task_files_put(object, "importance", importance[ranked[i]]);
        json_array_append_new(list, object);
    }
    free(ranked);
    return list;
}

/* The curves of the strongest edges, and of the most important nodes. */
static json_t *curves_json(const struct graph *g, const struct eap *eap, const double *importance,
                           const struct reference *reference)
{
    struct roc_points *points = allocate(graph_edges(g), sizeof *points);
    json_t *object = json_object();
    const int64_t edges = roc_points_of_scores(points, g, eap, reference);

    json_object_set_new(object, "edges", roc_points_curve(points, edges));
    const int64_t nodes = roc_points_of_nodes(points, g, importance, reference);
    json_object_set_new(object, "importance", roc_points_curve(points, nodes));
    free(points);
    return object;
}

/* What removing a sample of edges really did, and how well scores predict it. */
static json_t *sample_json(const struct graph *g, const struct eap *eap,
                           const int32_t (*edges)[2], const double *effects, int64_t count)
{
    double *scores = allocate(count, sizeof *scores);
    json_t *object = json_object(), *list = json_array();

    for (int64_t i = 0; i < count; i++) {
        json_t *edge = json_object();
        scores[i] = eap->score[edges[i][1] * g->senders + edges[i][0]];
        json_object_set_new(edge, "edge", edge_json(g, edges[i][0], edges[i][1]));
        json_object_set_new(edge, "score", json_real(scores[i]));
        json_object_set_new(edge, "effect", json_real(effects[i]));
        json_array_append_new(list, edge);
    }
    const struct eap_fit fit = eap_fit(effects, scores, count);
    json_object_set_new(object, "edges", list);
    task_files_put(object, "slope", fit.slope);
    task_files_put(object, "r2", fit.r2);
    free(scores);
    return object;
}

enum status edge_files_write_eap(const struct circuit *circuit, const char *name,
                                 const struct graph *graph, const struct eap *eap,
                                 const int32_t (*edges)[2], const double *effects, int64_t count)
{
    json_t *summary = edge_files_summary(circuit);
    double *importance = importance_of(eap, graph);
    struct reference reference = {0};
    char path[PATH_LENGTH];
    enum status st;
    bool given;

    TRY(roc_points_reference(&reference, &given, graph, circuit->suite));
    json_object_set_new(summary, "strongest", strongest_json(graph, eap));
    json_object_set_new(summary, "importance", importance_json(graph, importance));
    if (given)
        json_object_set_new(summary, "roc", curves_json(graph, eap, importance, &reference));
    if (count > 0)
        json_object_set_new(summary, "sample", sample_json(graph, eap, edges, effects, count));
    paths_result(path, circuit->suite, name, ".h5");
    TRY(write_eap_table(circuit, path, graph, eap));
    TRY(edge_page_eap(circuit, name, graph, eap, json_object_get(summary, "roc")));
    TRY(task_files_write(circuit, name, json_incref(summary)));
done:
    reference_free(&reference);
    free(importance);
    json_decref(summary);
    return st;
}
