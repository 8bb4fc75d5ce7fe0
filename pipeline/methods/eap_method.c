#include "base/allocate.h"
#include "base/minmax.h"
#include "base/random.h"
#include "circuit/eap.h"
#include "methods/edge_files.h"
#include "methods/trial.h"

#include <stdlib.h>

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    enum status st;

    TRY(roc_points_check(suite, config));
    TRY(eap_check(suite->circuit.metric, (int)suite->circuit.steps));
    TRY(trial_check(suite, prompts));
done:
    return st;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    return trial_bytes(suite, config, shape) + trial_scores_bytes(config, shape);
}

/* A pass back is about three forward; an edge of the sample is half a run. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const int64_t runs = max_int64(1, suite->circuit.steps);

    return trial_work(config, shape) * (3 + 5 * (double)runs + (double)suite->circuit.samples / 2);
}

/* --- the sample -------------------------------------------------------------------------- */

static int by_receiver(const void *a, const void *b)
{
    const int32_t *p = a, *q = b;

    return p[1] != q[1] ? q[1] - p[1] : p[0] - q[0];
}

/* Edges drawn by the seed, in the order of their receivers from the end: a run then goes on from
 * the layer of each.  Returns how many; all edges if there are not more. */
static int64_t draw(int32_t (*edges)[2], const struct graph *g, int64_t wanted, uint64_t seed)
{
    const int64_t all = graph_edges(g);
    int64_t count = 0, seen = 0;

    for (int32_t v = 0; v < g->receivers; v++)
        for (int32_t u = 0; u < graph_upstream(g, v); u++, seen++) {
            /* Each edge with the chance that leaves the right number (Knuth's algorithm S). */
            const double chance = (double)random_uniform(seed, RANDOM_EDGES, (uint64_t)seen);
            if (chance * (double)(all - seen) < (double)(min_int64(wanted, all) - count)) {
                edges[count][0] = u;
                edges[count++][1] = v;
            }
        }
    qsort(edges, (size_t)count, sizeof *edges, by_receiver);
    return count;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct suite_circuit *options = &circuit->suite->circuit;
    struct trial trial = {0};
    struct eap eap = {0};
    struct graph_edges all = {0};
    char name[METHODS_NAME];
    int32_t (*edges)[2] = NULL;
    double *effects = NULL;
    int64_t count = 0;
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY(trial_make(&trial, circuit));
    TRY(eap_run(&eap, &trial.experiment, (int)options->steps));
    edges = allocate(graph_edges(&trial.graph), sizeof *edges);
    effects = allocate(graph_edges(&trial.graph), sizeof *effects);
    graph_edges_make(&all, &trial.graph, true);
    if (options->samples > 0)
        count = draw(edges, &trial.graph, options->samples,
                     (uint64_t)options->seed);
    eap_effects(effects, &trial.experiment, (const int32_t (*)[2])edges, count,
                experiment_value(&trial.experiment, &all, 0));
    TRY_ROOT(circuit->run->comm, edge_files_write_eap(circuit, name, &trial.graph, &eap,
                                                      (const int32_t (*)[2])edges, effects, count));
done:
    graph_edges_free(&all);
    free(effects);
    free(edges);
    eap_free(&eap);
    trial_free(&trial);
    return st;
}

const struct circuit_method EAP_METHOD = {
    .name = "eap", .check = check, .bytes = bytes, .work = work,
    .disk = edge_files_bytes, .run = run_task,
};
