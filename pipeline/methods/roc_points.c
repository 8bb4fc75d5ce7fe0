#include "methods/roc_points.h"
#include "base/allocate.h"
#include "methods/task_files.h"

#include <math.h>
#include <stdlib.h>

enum status roc_points_reference(struct reference *reference, bool *given,
                                 const struct graph *graph, const struct suite *suite)
{
    *reference = (struct reference){0};
    *given = suite->circuit.reference[0] != '\0';
    return *given ? reference_read(reference, graph, suite->circuit.reference) : OK;
}

enum status roc_points_check(const struct suite *suite, const struct lm_config *config)
{
    struct reference reference = {0};
    struct graph graph;
    bool given;
    enum status st;

    TRY(graph_make(&graph, config, false));
    TRY(roc_points_reference(&reference, &given, &graph, suite));
done:
    reference_free(&reference);
    return st;
}

struct roc_points roc_points_of(const struct graph_edges *circuit,
                                const struct reference *reference)
{
    return (struct roc_points){
        .edges = reference->by_edges ? roc_by_edges(circuit, &reference->present)
                                     : (struct roc_point){ NAN, NAN },
        .nodes = roc_by_nodes(circuit, &reference->present),
    };
}

int64_t roc_points_of_scores(struct roc_points *points, const struct graph *g,
                             const struct eap *eap, const struct reference *reference)
{
    int32_t (*edges)[2] = allocate(graph_edges(g), sizeof *edges);
    struct graph_edges circuit;
    int64_t count = 0;

    eap_rank(edges, eap, g);
    for (int64_t k = 1; k <= graph_edges(g); k += 1 + k / 10, count++) {
        eap_circuit(&circuit, g, (const int32_t (*)[2])edges, k);
        points[count] = roc_points_of(&circuit, reference);
        graph_edges_free(&circuit);
    }
    free(edges);
    return count;
}

int64_t roc_points_of_nodes(struct roc_points *points, const struct graph *g,
                            const double *importance, const struct reference *reference)
{
    const int32_t count = g->senders - g->embeddings;
    int32_t *nodes = allocate(count, sizeof *nodes);
    struct graph_edges circuit;

    importance_rank(nodes, importance, g);
    for (int32_t i = 0; i < count; i++) {
        importance_circuit(&circuit, g, nodes, i + 1);
        points[i] = roc_points_of(&circuit, reference);
        graph_edges_free(&circuit);
    }
    free(nodes);
    return count;
}

static json_t *curve_json(const struct roc_point *points, int64_t count)
{
    struct roc_point *curve = allocate(count + 2, sizeof *curve);
    const int64_t left = roc_curve(curve, points, count);
    json_t *object = json_object(), *list = json_array();

    for (int64_t i = 0; i < left; i++)
        json_array_append_new(list, json_pack("[f, f]", curve[i].wrong, curve[i].right));
    json_object_set_new(object, "points", list);
    task_files_put(object, "area", roc_area(curve, left));
    free(curve);
    return object;
}

json_t *roc_points_curve(const struct roc_points *points, int64_t count)
{
    struct roc_point *values = allocate(count, sizeof *values);
    json_t *object = json_object();

    for (int64_t i = 0; i < count; i++)
        values[i] = points[i].nodes;
    json_object_set_new(object, "by_nodes", curve_json(values, count));
    for (int64_t i = 0; i < count; i++)
        values[i] = points[i].edges;
    if (count > 0 && !isnan(values[0].wrong))
        json_object_set_new(object, "by_edges", curve_json(values, count));
    free(values);
    return object;
}
