#include "circuit/graph.h"
#include "base/allocate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers ----------------------------------------------------------------------------- */

static int32_t senders_of_layer(const struct graph *g)
{
    return g->heads + g->mlps;
}

static int32_t receivers_of_layer(const struct graph *g)
{
    return graph_attention_receivers(g) + g->mlps;
}

enum status graph_make(struct graph *graph, const struct lm_config *c, bool split)
{
    enum status st = OK;

    REQUIRE(!split || c->learned_positions, E_USAGE,
            "this model has no learned positions, which would "
            "be a sender of their own");
    *graph = (struct graph){
        .layers = c->layers,
        .heads = c->heads,
        .kv_heads = c->kv_heads,
        .mlps = c->mlp_width > 0,
        .parallel = c->parallel,
        .embeddings = split ? 2 : 1,
    };
    graph->senders = graph->embeddings + c->layers * senders_of_layer(graph);
    graph->receivers = c->layers * receivers_of_layer(graph) + 1;
done:
    return st;
}

int32_t graph_head(const struct graph *g, int32_t layer, int32_t head)
{
    return g->embeddings + layer * senders_of_layer(g) + head;
}

int32_t graph_mlp(const struct graph *g, int32_t layer)
{
    return graph_head(g, layer, g->heads);
}

int32_t graph_attention_receivers(const struct graph *g)
{
    return g->heads + 2 * g->kv_heads;
}

int32_t graph_attention(const struct graph *g, int32_t layer)
{
    return layer * receivers_of_layer(g);
}

int32_t graph_receiver(const struct graph *g, enum graph_part part, int32_t layer, int32_t head)
{
    const int32_t first = graph_attention(g, layer), shared = head / (g->heads / g->kv_heads);
    const int32_t numbers[] = {
        [GRAPH_Q] = first + head,
        [GRAPH_K] = first + g->heads + shared,
        [GRAPH_V] = first + g->heads + g->kv_heads + shared,
        [GRAPH_MLP] = first + graph_attention_receivers(g),
        [GRAPH_FINAL] = g->receivers - 1,
    };

    return numbers[part];
}

struct graph_node graph_sender_at(const struct graph *g, int32_t sender)
{
    const int32_t n = sender - g->embeddings, head = n % senders_of_layer(g);

    if (n < 0)
        return (struct graph_node){ GRAPH_FINAL, -1, -1 };
    if (head == g->heads)
        return (struct graph_node){ GRAPH_MLP, n / senders_of_layer(g), -1 };
    return (struct graph_node){ GRAPH_Q, n / senders_of_layer(g), head };
}

struct graph_node graph_receiver_at(const struct graph *g, int32_t receiver)
{
    const int32_t layer = receiver / receivers_of_layer(g), n = receiver % receivers_of_layer(g);
    const int32_t group = g->heads / g->kv_heads, shared = n - g->heads;

    if (layer == g->layers)
        return (struct graph_node){ GRAPH_FINAL, layer, -1 };
    if (n < g->heads)
        return (struct graph_node){ GRAPH_Q, layer, n };
    if (shared < g->kv_heads)
        return (struct graph_node){ GRAPH_K, layer, shared * group };
    if (shared < 2 * g->kv_heads)
        return (struct graph_node){ GRAPH_V, layer, (shared - g->kv_heads) * group };
    return (struct graph_node){ GRAPH_MLP, layer, -1 };
}

int32_t graph_upstream(const struct graph *g, int32_t receiver)
{
    const struct graph_node node = graph_receiver_at(g, receiver);
    const bool after_heads = node.part == GRAPH_MLP && !g->parallel;

    return graph_head(g, node.layer, after_heads ? g->heads : 0);
}

int64_t graph_edges(const struct graph *g)
{
    int64_t edges = 0;

    for (int32_t v = 0; v < g->receivers; v++)
        edges += graph_upstream(g, v);
    return edges;
}

int64_t graph_direct_edges(const struct graph *g)
{
    return (int64_t)g->layers * graph_attention_receivers(g);
}

/* --- names ------------------------------------------------------------------------------- */

const char *graph_sender_name(char name[GRAPH_NAME], const struct graph *g, int32_t sender)
{
    const struct graph_node node = graph_sender_at(g, sender);

    if (node.part == GRAPH_FINAL)
        snprintf(name, GRAPH_NAME, "%s",
                 g->embeddings == 1 ? "embed"
                 : sender == 0      ? "tok"
                                    : "pos");
    else if (node.part == GRAPH_MLP)
        snprintf(name, GRAPH_NAME, "m%d", (int)node.layer);
    else
        snprintf(name, GRAPH_NAME, "a%d.%d", (int)node.layer, (int)node.head);
    return name;
}

const char *graph_receiver_name(char name[GRAPH_NAME], const struct graph *g, int32_t receiver)
{
    const struct graph_node node = graph_receiver_at(g, receiver);

    if (node.part == GRAPH_FINAL)
        snprintf(name, GRAPH_NAME, "final");
    else if (node.part == GRAPH_MLP)
        snprintf(name, GRAPH_NAME, "m%d", (int)node.layer);
    else
        snprintf(name, GRAPH_NAME, "a%d.%d.%c", (int)node.layer, (int)node.head, "qkv"[node.part]);
    return name;
}

/* Find a name among `count` of them; *number is count if it is not there. */
static void find_name(int32_t *number, const struct graph *g, const char *name, int32_t count,
                      const char *(*name_of)(char *, const struct graph *, int32_t))
{
    char other[GRAPH_NAME];

    *number = 0;
    while (*number < count && strcmp(name, name_of(other, g, *number)) != 0)
        ++*number;
}

enum status graph_sender_parse(int32_t *sender, const struct graph *g, const char *name,
                               const char *place)
{
    enum status st = OK;

    find_name(sender, g, name, g->senders, graph_sender_name);
    REQUIRE(*sender < g->senders, E_USAGE,
            "%s: the model has no sender '%s': it has %d layers of %d heads, "
            "which are called a0.0 and so on, and its MLPs m0 and so on",
            place, name, (int)g->layers, (int)g->heads);
done:
    return st;
}

enum status graph_receiver_parse(int32_t *receiver, const struct graph *g, const char *name,
                                 const char *place)
{
    enum status st = OK;

    find_name(receiver, g, name, g->receivers, graph_receiver_name);
    REQUIRE(
        *receiver < g->receivers, E_USAGE,
        "%s: the model has no receiver '%s': it has %d layers of %d "
        "heads, which read as a0.0.q, a0.0.k, a0.0.v and so on, MLPs as m0 and so on, and the end "
        "as final",
        place, name, (int)g->layers, (int)g->heads);
done:
    return st;
}

const char *graph_edge_name(char name[GRAPH_EDGE_NAME], const struct graph *g, int32_t sender,
                            int32_t receiver)
{
    char from[GRAPH_NAME], to[GRAPH_NAME];

    graph_receiver_name(to, g, receiver);
    if (sender == GRAPH_DIRECT)
        snprintf(name, GRAPH_EDGE_NAME, "direct %s", to);
    else
        snprintf(name, GRAPH_EDGE_NAME, "%s->%s", graph_sender_name(from, g, sender), to);
    return name;
}

enum status graph_edge_parse(int32_t *sender, int32_t *receiver, const struct graph *g,
                             const char *name, const char *place)
{
    char from[GRAPH_NAME], to[GRAPH_NAME];
    enum status st;

    if (sscanf(name, "direct %31s", to) == 1) {
        *sender = GRAPH_DIRECT;
        TRY(graph_receiver_parse(receiver, g, to, place));
        REQUIRE(graph_receiver_at(g, *receiver).part <= GRAPH_V, E_USAGE,
                "%s: '%s': only q, k and v have direct edges", place, name);
        return OK;
    }
    REQUIRE(sscanf(name, "%31[^-]->%31s", from, to) == 2, E_USAGE,
            "%s: '%s' is no edge; edges are written as a0.0->m0 or direct a0.0.q", place, name);
    TRY(graph_sender_parse(sender, g, from, place));
    TRY(graph_receiver_parse(receiver, g, to, place));
    REQUIRE(*sender < graph_upstream(g, *receiver), E_USAGE,
            "%s: there is no edge '%s': %s reads before %s sends", place, name, to, from);
done:
    return st;
}

/* --- edges ------------------------------------------------------------------------------- */

void graph_edges_make(struct graph_edges *edges, const struct graph *g, bool present)
{
    *edges = (struct graph_edges){
        .graph = g,
        .mask = allocate((int64_t)g->receivers * g->senders, sizeof(float)),
        .direct = allocate(g->receivers, sizeof(bool)),
    };
    for (int32_t v = 0; v < g->receivers; v++) {
        edges->direct[v] = present && graph_receiver_at(g, v).part <= GRAPH_V;
        for (int32_t u = 0; u < graph_upstream(g, v); u++)
            edges->mask[v * g->senders + u] = present;
    }
}

void graph_edges_free(struct graph_edges *edges)
{
    free(edges->mask);
    free(edges->direct);
    *edges = (struct graph_edges){0};
}

int64_t graph_edges_count(const struct graph_edges *edges)
{
    const struct graph *g = edges->graph;
    int64_t count = 0;

    for (int64_t i = 0; i < (int64_t)g->receivers * g->senders; i++)
        count += edges->mask[i] != 0;
    for (int32_t v = 0; v < g->receivers; v++)
        count += edges->direct[v];
    return count;
}

bool graph_edges_leave(const struct graph_edges *edges, int32_t sender)
{
    const struct graph *g = edges->graph;

    for (int32_t v = 0; v < g->receivers; v++)
        if (edges->mask[v * g->senders + sender] != 0)
            return true;
    return false;
}

bool graph_edges_enter(const struct graph_edges *edges, int32_t receiver)
{
    const struct graph *g = edges->graph;

    for (int32_t u = 0; u < g->senders; u++)
        if (edges->mask[receiver * g->senders + u] != 0)
            return true;
    return false;
}
