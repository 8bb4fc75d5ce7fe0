#include "circuit/roc.h"

#include <stdlib.h>
#include <string.h>

/* Edges or nodes of a circuit that the reference has, or lacks; and how many there are of both. */
struct tally {
    int64_t right, rights, wrong, wrongs;
};

static void count(struct tally *tally, bool in_circuit, bool in_reference)
{
    tally->right += in_circuit && in_reference;
    tally->rights += in_reference;
    tally->wrong += in_circuit && !in_reference;
    tally->wrongs += !in_reference;
}

static struct roc_point point_of(const struct tally *tally)
{
    return (struct roc_point){
        .wrong = tally->wrongs == 0 ? 0 : (double)tally->wrong / (double)tally->wrongs,
        .right = tally->rights == 0 ? 1 : (double)tally->right / (double)tally->rights,
    };
}

struct roc_point roc_by_edges(const struct graph_edges *circuit,
                              const struct graph_edges *reference)
{
    const struct graph *g = circuit->graph;
    struct tally tally = {0};

    for (int32_t v = 0; v < g->receivers; v++) {
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            count(&tally, circuit->mask[v * g->senders + u] != 0,
                  reference->mask[v * g->senders + u] != 0);
        if (graph_receiver_at(g, v).part <= GRAPH_V)
            count(&tally, circuit->direct[v], reference->direct[v]);
    }
    return point_of(&tally);
}

/* Has the node of a head or an MLP an edge? */
static bool has_node(const struct graph_edges *edges, int32_t sender)
{
    const struct graph *g = edges->graph;
    const struct graph_node node = graph_sender_at(g, sender);

    if (graph_edges_leave(edges, sender))
        return true;
    if (node.part == GRAPH_MLP)
        return graph_edges_enter(edges, graph_receiver(g, GRAPH_MLP, node.layer, 0));
    for (enum graph_part part = GRAPH_Q; part <= GRAPH_V; part++)
        if (graph_edges_enter(edges, graph_receiver(g, part, node.layer, node.head)))
            return true;
    return false;
}

struct roc_point roc_by_nodes(const struct graph_edges *circuit,
                              const struct graph_edges *reference)
{
    struct tally tally = {0};

    for (int32_t u = circuit->graph->embeddings; u < circuit->graph->senders; u++)
        count(&tally, has_node(circuit, u), has_node(reference, u));
    return point_of(&tally);
}

/* --- curves ------------------------------------------------------------------------------ */

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const struct roc_point *p = a, *q = b;

    return p->wrong != q->wrong ? compare(p->wrong, q->wrong) : compare(p->right, q->right);
}

int64_t roc_curve(struct roc_point *curve, const struct roc_point *points, int64_t count)
{
    int64_t left = 0;
    double best = 0,
           before = 0; /* the largest share of right edges, and that of fewer wrong ones */

    if (count > 0)
        memcpy(curve, points, (size_t)count * sizeof *points);
    curve[count] = (struct roc_point){ 0, 0 };
    curve[count + 1] = (struct roc_point){ 1, 1 };
    qsort(curve, (size_t)count + 2, sizeof *curve, by_place);
    for (int64_t i = 0; i < count + 2; i++) {
        if (i > 0 && curve[i].wrong > curve[i - 1].wrong)
            before = best;
        best = curve[i].right > best ? curve[i].right : best;
        if (curve[i].right >= before)
            curve[left++] = curve[i];
    }
    return left;
}

double roc_area(const struct roc_point *curve, int64_t count)
{
    double area = 0;

    for (int64_t i = 1; i < count; i++)
        area += (1 - curve[i].wrong) * (curve[i].right - curve[i - 1].right);
    return area;
}
