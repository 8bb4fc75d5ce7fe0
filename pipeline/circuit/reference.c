#include "circuit/reference.h"
#include "base/json_file.h"

#include <jansson.h>
#include <stdlib.h>

static enum status add_edge(struct graph_edges *present, const char *name, const char *path)
{
    const struct graph *g = present->graph;
    int32_t sender, receiver;
    enum status st;

    TRY(graph_edge_parse(&sender, &receiver, g, name, path));
    if (sender == GRAPH_DIRECT)
        present->direct[receiver] = true;
    else
        present->mask[receiver * g->senders + sender] = 1;
done:
    return st;
}

static enum status add_node(struct graph_edges *present, const char *name, const char *path)
{
    const struct graph *g = present->graph;
    int32_t sender;
    enum status st;

    TRY(graph_sender_parse(&sender, g, name, path));
    REQUIRE(sender >= g->embeddings, E_USAGE, "%s: '%s' is neither a head nor an MLP", path, name);
    present->mask[(g->receivers - 1) * g->senders + sender] = 1;
done:
    return st;
}

static enum status add_all(struct reference *reference, const json_t *names, const char *path)
{
    const json_t *name;
    size_t i;
    enum status st = OK;

    json_array_foreach(names, i, name) {
        REQUIRE(json_is_string(name), E_FORMAT, "%s: item %d is no name", path, (int)i + 1);
        TRY((reference->by_edges ? add_edge : add_node)(&reference->present,
                                                        json_string_value(name), path));
    }
done:
    return st;
}

/* Has it something that the others may find, and lacks it something? */
static enum status check(const struct reference *reference, const char *path)
{
    const struct graph *g = reference->present.graph;
    const int64_t there = graph_edges_count(&reference->present);
    const int64_t all = reference->by_edges ? graph_edges(g) + graph_direct_edges(g)
                                            : g->senders - g->embeddings;
    enum status st = OK;

    REQUIRE(0 < there && there < all, E_USAGE, "%s is %s; a reference has a part of the model",
            path, there == 0 ? "an empty circuit" : "the whole model");
done:
    return st;
}

enum status reference_read(struct reference *reference, const struct graph *graph,
                           const char *path)
{
    json_t *object = NULL;
    enum status st;

    *reference = (struct reference){0};
    TRY(json_file_read(&object, path));
    const json_t *edges = json_object_get(object, "edges"),
                 *nodes = json_object_get(object, "nodes");
    reference->by_edges = edges != NULL;
    const json_t *names = reference->by_edges ? edges : nodes;
    REQUIRE(json_is_array(names), E_FORMAT, "%s must be a JSON object with a list \"edges\" or "
            "\"nodes\"", path);
    graph_edges_make(&reference->present, graph, false);
    TRY(add_all(reference, names, path));
    TRY(check(reference, path));
done:
    json_decref(object);
    return st;
}

void reference_free(struct reference *reference)
{
    graph_edges_free(&reference->present);
    *reference = (struct reference){0};
}
