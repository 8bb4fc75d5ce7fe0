/* graph.h -- a language model as a graph: who adds to the residual stream, and who reads it.
 *
 * A sender adds to the stream: the embedding, each head, each MLP.  A receiver reads it: the
 * queries, keys and values of each head, each MLP, and the end (the last norm and the logits).
 * An edge leads from a sender to each receiver that reads the stream later.  Senders are numbered
 * in the order in which they add, so those of a receiver are the first ones:
 *
 *     senders     embed (or tok, pos), then layer by layer a0.0 a0.1 ... m0
 *     receivers   layer by layer the queries a0.0.q a0.1.q ..., keys a0.0.k ..., values a0.0.v ...,
 *                 the MLP m0; then final
 *
 * Heads that share keys and values have one receiver k and one v together, named after the first
 * of them.  A receiver q, k or v has a direct edge, too: from what it reads to the queries, keys
 * or values themselves (Conmy et al., arXiv:2304.14997, section 3 and appendix).  Everything here
 * is Local.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "base/refuse.h"
#include "lm/config.h"

struct graph {
    int32_t layers, heads, kv_heads;
    bool    mlps;           /* the model has them */
    bool parallel;      /* an MLP reads the stream to which its layer's heads are not yet added */
    int32_t embeddings;     /* 1, or 2: tokens and learned positions send for themselves */
    int32_t senders, receivers;
};

/* What a receiver is. */
enum graph_part { GRAPH_Q, GRAPH_K, GRAPH_V, GRAPH_MLP, GRAPH_FINAL };

/* The graph of a model.  `split`: tokens and learned positions are two senders.  E_USAGE if it
 * has no learned positions. */
enum status graph_make(struct graph *graph, const struct lm_config *config, bool split);

/* Numbers of nodes. */
int32_t graph_head(const struct graph *graph, int32_t layer, int32_t head);
int32_t graph_mlp(const struct graph *graph, int32_t layer);
int32_t graph_receiver(const struct graph *graph, enum graph_part part, int32_t layer,
                       int32_t head);

/* The first receiver of a layer, q of head 0, and how many read for its attention; they lie one
 * after the other: queries, keys, values. */
int32_t graph_attention(const struct graph *graph, int32_t layer);
int32_t graph_attention_receivers(const struct graph *graph);

/* What a node is: its layer (-1 for an embedding, `layers` for final), its part, its head (the
 * first of those that share keys and values; -1: none).  A sender's part is GRAPH_Q for a head,
 * GRAPH_MLP, or GRAPH_FINAL for an embedding. */
struct graph_node {
    enum graph_part part;
    int32_t         layer, head;
};
struct graph_node graph_sender_at(const struct graph *graph, int32_t sender);
struct graph_node graph_receiver_at(const struct graph *graph, int32_t receiver);

/* The number of senders that a receiver can read: senders 0 to that number - 1. */
int32_t graph_upstream(const struct graph *graph, int32_t receiver);

/* Addition edges of the whole graph, and direct ones. */
int64_t graph_edges(const struct graph *graph);
int64_t graph_direct_edges(const struct graph *graph);

/* Names, as above.  Returns `name`. */
enum { GRAPH_NAME = 32 };
const char *graph_sender_name(char name[GRAPH_NAME], const struct graph *graph, int32_t sender);
const char *graph_receiver_name(char name[GRAPH_NAME], const struct graph *graph, int32_t receiver);

/* The reverse.  E_USAGE names what the model does not have, and the `place` that asked for it. */
enum status graph_sender_parse(int32_t *sender, const struct graph *graph, const char *name,
                               const char *place);
enum status graph_receiver_parse(int32_t *receiver, const struct graph *graph, const char *name,
                                 const char *place);

/* The name of an edge, "a0.0->m0", or with GRAPH_DIRECT in place of a sender "direct a0.0.q".
 * Returns `name`. */
enum { GRAPH_DIRECT = -1, GRAPH_EDGE_NAME = 2 * GRAPH_NAME + 8 };
const char *graph_edge_name(char name[GRAPH_EDGE_NAME], const struct graph *graph, int32_t sender,
                            int32_t receiver);

/* The reverse.  E_USAGE names what the model does not have: a node, or an edge between nodes. */
enum status graph_edge_parse(int32_t *sender, int32_t *receiver, const struct graph *graph,
                             const char *name, const char *place);

/* --- a part of the graph -------------------------------------------------------------- */

/* Which edges are present. */
struct graph_edges {
    const struct graph *graph;      /* not owned */
    float *mask;        /* [receivers, senders] 1 or 0; senders that are not upstream: 0 */
    bool  *direct;      /* [receivers] true or false for q, k and v; false for others */
};

/* All edges, or none.  graph_edges_free() accepts an empty one. */
void graph_edges_make(struct graph_edges *edges, const struct graph *graph, bool present);
void graph_edges_free(struct graph_edges *edges);

/* Edges that are present, direct ones included. */
int64_t graph_edges_count(const struct graph_edges *edges);

/* Has a sender an edge that is present?  Has a receiver? */
bool graph_edges_leave(const struct graph_edges *edges, int32_t sender);
bool graph_edges_enter(const struct graph_edges *edges, int32_t receiver);

#endif
