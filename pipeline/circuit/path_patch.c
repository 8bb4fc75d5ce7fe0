#include "circuit/path_patch.h"
#include "base/allocate.h"
#include "kernels/rows.h"

#include <stdlib.h>
#include <string.h>

/* A receiver's edges from the senders `first` and later. */
static void join(struct graph_edges *edges, int32_t receiver, int32_t first)
{
    const struct graph *g = edges->graph;

    for (int32_t u = first; u < graph_upstream(g, receiver); u++)
        edges->mask[receiver * g->senders + u] = 1;
    edges->direct[receiver] = graph_receiver_at(g, receiver).part <= GRAPH_V;
}

/* The part of the graph in which the paths lie. */
static void choose_edges(struct graph_edges *edges, const struct path_patch *path)
{
    const struct graph *g = edges->graph;
    const struct graph_node to = graph_receiver_at(g, path->receiver);

    join(edges, path->receiver, 0);
    for (int32_t layer = 0; layer < to.layer && !path->frozen && g->mlps; layer++)
        join(edges, graph_receiver(g, GRAPH_MLP, layer, 0), 0);
    /* What comes after the receiver sees its head, and what follows from it. */
    for (int32_t v = path->receiver + 1; to.part != GRAPH_FINAL && v < g->receivers; v++)
        if (graph_upstream(g, v) > graph_head(g, to.layer, 0))
            join(edges, v, graph_head(g, to.layer, 0));
}

/* Put what the senders make in the corrupted run into the clean one, or take it out again. */
static void set_senders(struct graph_forward *clean, const struct graph_forward *corrupted,
                        const struct path_patch *path, bool in)
{
    const int64_t block = clean->forward.rows * clean->forward.weights->config.width;

    for (int32_t i = 0; i < path->count; i++) {
        const int64_t at = path->senders[i] * block;
        clean->fixed[path->senders[i]] = in;
        memset(clean->difference + at, 0, (size_t)block * sizeof(float));
        if (in) {
            memcpy(clean->difference + at, corrupted->reference + at,
                   (size_t)block * sizeof(float));
            row_subtract(clean->difference + at, clean->reference + at, block);
        }
    }
}

/* The rows of a block at which a question is asked. */
static bool *question_rows(const struct experiment *e, int64_t block)
{
    const struct range prompts = experiment_prompts(e, block);
    bool *rows = allocate(range_length(prompts) * e->setup.context, sizeof *rows);

    for (int64_t i = 0; i < e->setup.count; i++) {
        const struct question *q = &e->setup.questions[i];
        if (prompts.first <= q->prompt && q->prompt < prompts.end)
            rows[(q->prompt - prompts.first) * e->setup.context + q->position] = true;
    }
    return rows;
}

double path_patch_value(struct experiment *clean, const struct experiment *corrupted,
                        const struct path_patch *path)
{
    bool **rows = allocate(range_length(clean->blocks), sizeof *rows);
    struct graph_edges edges;

    graph_edges_make(&edges, clean->setup.graph, false);
    choose_edges(&edges, path);
    for (int64_t block = 0; block < range_length(clean->blocks); block++) {
        rows[block] = path->questions ? question_rows(clean, block) : NULL;
        set_senders(&clean->forwards[block], &corrupted->forwards[block], path, true);
        clean->forwards[block].limited = path->receiver;
        clean->forwards[block].limits = rows[block];
    }
    const double value = experiment_value(clean, &edges, 0);

    for (int64_t block = 0; block < range_length(clean->blocks); block++) {
        set_senders(&clean->forwards[block], &corrupted->forwards[block], path, false);
        clean->forwards[block].limits = NULL;
        free(rows[block]);
    }
    graph_edges_free(&edges);
    free(rows);
    return value;
}
