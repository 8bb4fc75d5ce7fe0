#include "circuit/importance.h"
#include "base/allocate.h"

#include <math.h>
#include <stdlib.h>

double *importance_of(const struct eap *eap, const struct graph *g)
{
    double *importance = allocate(g->senders, sizeof *importance);

    for (int32_t layer = 0; layer < g->layers; layer++) {
        const int32_t first = graph_head(g, layer, 0), end = first + g->heads + g->mlps;
        double squares = 0;

        for (int32_t u = first; u < end; u++)
            squares += eap->importance[u] * eap->importance[u];
        for (int32_t u = first; u < end; u++)
            importance[u] = squares > 0 ? eap->importance[u] / sqrt(squares) : 0;
    }
    return importance;
}

struct node {
    int32_t sender;
    double  importance;
};

static int by_importance(const void *a, const void *b)
{
    const struct node *p = a, *q = b;

    if (p->importance != q->importance)
        return p->importance < q->importance ? 1 : -1;
    return p->sender - q->sender;
}

void importance_rank(int32_t *nodes, const double *importance, const struct graph *g)
{
    const int32_t count = g->senders - g->embeddings;
    struct node *all = allocate(count, sizeof *all);

    for (int32_t i = 0; i < count; i++)
        all[i] = (struct node){ g->embeddings + i, importance[g->embeddings + i] };
    qsort(all, (size_t)count, sizeof *all, by_importance);
    for (int32_t i = 0; i < count; i++)
        nodes[i] = all[i].sender;
    free(all);
}

/* Does a receiver belong to a node of the circuit?  Keys and values may belong to several heads. */
static bool reads(const struct graph *g, const bool *there, int32_t receiver)
{
    const struct graph_node node = graph_receiver_at(g, receiver);
    const int32_t heads = node.part == GRAPH_Q ? 1 : g->heads / g->kv_heads;

    if (node.part == GRAPH_FINAL)
        return true;
    if (node.part == GRAPH_MLP)
        return there[graph_mlp(g, node.layer)];
    for (int32_t h = node.head; h < node.head + heads; h++)
        if (there[graph_head(g, node.layer, h)])
            return true;
    return false;
}

void importance_circuit(struct graph_edges *circuit, const struct graph *g, const int32_t *nodes,
                        int32_t count)
{
    bool *there = allocate(g->senders, sizeof *there);

    for (int32_t u = 0; u < g->embeddings; u++)
        there[u] = true;
    for (int32_t i = 0; i < count; i++)
        there[nodes[i]] = true;
    graph_edges_make(circuit, g, false);
    for (int32_t v = 0; v < g->receivers; v++) {
        if (!reads(g, there, v))
            continue;
        circuit->direct[v] = graph_receiver_at(g, v).part <= GRAPH_V;
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            circuit->mask[v * g->senders + u] = there[u];
    }
    free(there);
}
