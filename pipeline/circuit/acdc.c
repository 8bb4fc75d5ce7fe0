#include "circuit/acdc.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/random.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* A search under way. */
struct state {
    const struct acdc_search *search;
    const struct graph       *graph;
    struct graph_edges       *edges;
    struct acdc              *acdc;
    int64_t                   room;     /* for steps */
};

/* --- edges ------------------------------------------------------------------------------- */

static float *edge(const struct state *s, int32_t sender, int32_t receiver)
{
    return &s->edges->mask[receiver * s->graph->senders + sender];
}

static void set_edge(const struct state *s, int32_t sender, int32_t receiver, bool present)
{
    if (sender == GRAPH_DIRECT)
        s->edges->direct[receiver] = present;
    else
        *edge(s, sender, receiver) = present;
}

static void drop_inputs(const struct state *s, int32_t receiver)
{
    for (int32_t u = 0; u < s->graph->senders; u++)
        *edge(s, u, receiver) = 0;
    s->edges->direct[receiver] = false;
}

/* Does anybody read what a receiver's node makes?  Keys and values may belong to several heads. */
static bool is_read(const struct state *s, int32_t receiver)
{
    const struct graph *g = s->graph;
    const struct graph_node node = graph_receiver_at(g, receiver);
    const int32_t heads = node.part == GRAPH_Q ? 1 : g->heads / g->kv_heads;

    if (node.part == GRAPH_FINAL)
        return true;
    if (node.part == GRAPH_MLP)
        return graph_edges_leave(s->edges, graph_mlp(g, node.layer));
    for (int32_t h = node.head; h < node.head + heads; h++)
        if (graph_edges_leave(s->edges, graph_head(g, node.layer, h)))
            return true;
    return false;
}

/* Does a sender's node read anything? */
static bool reads(const struct state *s, int32_t sender)
{
    const struct graph *g = s->graph;
    const struct graph_node node = graph_sender_at(g, sender);

    if (node.part == GRAPH_FINAL)
        return true;
    if (node.part == GRAPH_MLP)
        return graph_edges_enter(s->edges, graph_receiver(g, GRAPH_MLP, node.layer, 0));
    for (enum graph_part part = GRAPH_Q; part <= GRAPH_V; part++)
        if (graph_edges_enter(s->edges, graph_receiver(g, part, node.layer, node.head)))
            return true;
    return false;
}

/* Remove what leaves nodes that read nothing.  That may leave others without inputs, but only later
 * ones, and senders are visited in order. */
static void cascade(const struct state *s)
{
    const struct graph *g = s->graph;

    for (int32_t u = 0; u < g->senders; u++)
        for (int32_t v = 0; !reads(s, u) && v < g->receivers; v++)
            *edge(s, u, v) = 0;
    for (int32_t v = 0; v < g->receivers; v++)
        if (!graph_edges_enter(s->edges, v))
            s->edges->direct[v] = false;
}

/* --- steps ------------------------------------------------------------------------------- */

static struct acdc_step *next_step(struct state *s)
{
    if (s->acdc->count == s->room) {
        s->room = 2 * s->room + 64;
        s->acdc->steps = realloc(s->acdc->steps, (size_t)s->room * sizeof *s->acdc->steps);
        if (s->acdc->steps == NULL)
            die("no memory for the steps of a search");
    }
    return &s->acdc->steps[s->acdc->count++];
}

/* The metric with the edges of now.  The search changes edges of this receiver and later. */
static double value(const struct state *s, int32_t receiver)
{
    return s->search->value(s->search->context, s->edges, receiver);
}

/* Try an edge that is present. */
static enum status try_edge(struct state *s, int32_t sender, int32_t receiver)
{
    const struct acdc_options *options = &s->search->options;
    const bool is_known = s->acdc->count < s->search->count;
    struct acdc_step *step = next_step(s);

    set_edge(s, sender, receiver, false);
    if (is_known) {
        *step = s->search->known[s->acdc->count - 1];
        assert(step->sender == sender && step->receiver == receiver);
    } else {
        *step = (struct acdc_step){ sender, receiver, value(s, receiver), false };
        const double change = step->value - s->acdc->value;
        step->removed = (options->absolute ? fabs(change) : change) < options->threshold;
    }
    if (step->removed)
        s->acdc->value = step->value;
    else
        set_edge(s, sender, receiver, true);
    return is_known || s->search->told == NULL ? OK
                                               : s->search->told(s->search->context, s->acdc);
}

static enum status visit(struct state *s, int32_t receiver)
{
    enum status st = OK;

    if (!is_read(s, receiver)) {
        drop_inputs(s, receiver);
        return OK;
    }
    if (s->edges->direct[receiver]) {
        TRY(try_edge(s, GRAPH_DIRECT, receiver));
        if (!s->edges->direct[receiver])
            drop_inputs(s, receiver);
    }
    for (int32_t u = graph_upstream(s->graph, receiver); u-- > 0; )
        if (*edge(s, u, receiver) != 0)
            TRY(try_edge(s, u, receiver));
done:
    return st;
}

/* --- the order --------------------------------------------------------------------------- */

/* The heads of a layer in the order of the search. */
static void order_heads(const struct state *s, int32_t layer, int32_t *heads)
{
    const struct acdc_options *options = &s->search->options;
    const int32_t count = s->graph->heads;

    for (int32_t i = 0; i < count; i++)
        heads[i] = options->order == ACDC_REVERSE ? count - 1 - i : i;
    for (int32_t i = count - 1; options->order == ACDC_RANDOM && i > 0; i--) {
        const float u = random_uniform(options->seed, (uint32_t)layer, (uint64_t)i);
        const int32_t j = (int32_t)(u * (float)(i + 1)), head = heads[i];
        heads[i] = heads[j];
        heads[j] = head;
    }
}

/* q of a head, and k and v unless another head of the same keys and values has come before. */
static enum status visit_head(struct state *s, int32_t layer, int32_t head, bool *visited)
{
    enum status st = OK;

    for (enum graph_part part = GRAPH_Q; part <= GRAPH_V; part++) {
        const int32_t receiver = graph_receiver(s->graph, part, layer, head);
        if (!visited[receiver])
            TRY(visit(s, receiver));
        visited[receiver] = true;
    }
    if (!s->search->options.zero)
        cascade(s);
done:
    return st;
}

static enum status visit_layer(struct state *s, int32_t layer, int32_t *heads, bool *visited)
{
    enum status st = OK;

    if (s->graph->mlps)
        TRY(visit(s, graph_receiver(s->graph, GRAPH_MLP, layer, 0)));
    if (!s->search->options.zero)
        cascade(s);
    order_heads(s, layer, heads);
    for (int32_t i = 0; i < s->graph->heads; i++)
        TRY(visit_head(s, layer, heads[i], visited));
done:
    return st;
}

enum status acdc_run(struct acdc *acdc, struct graph_edges *edges, const struct acdc_search *search)
{
    const struct graph *g = edges->graph;
    struct state s = { .search = search, .graph = g, .edges = edges, .acdc = acdc };
    int32_t *heads = allocate(g->heads, sizeof *heads);
    bool *visited = allocate(g->receivers, sizeof *visited);
    enum status st;

    *acdc = (struct acdc){0};
    acdc->start = acdc->value = value(&s, 0);
    TRY(visit(&s, g->receivers - 1));
    for (int32_t layer = g->layers; layer-- > 0; )
        TRY(visit_layer(&s, layer, heads, visited));
done:
    free(visited);
    free(heads);
    return st;
}

void acdc_free(struct acdc *acdc)
{
    free(acdc->steps);
    *acdc = (struct acdc){0};
}
