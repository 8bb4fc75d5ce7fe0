/* graph_forward.h -- a forward pass in which every receiver has an input of its own.
 *
 * Two runs of a model on the same number of tokens: the reference, whose values absent edges
 * carry (Conmy et al., arXiv:2304.14997, section 3: the corrupted run), and the run itself,
 *
 *     in[v] = in'[v] + sum over present edges (u, v) of (out[u] - out'[u])        ' = the reference
 *
 * so the inputs of a layer's receivers are one product: the mask of edges times the differences
 * of the senders.  out[u] is what u makes in this run.  Inputs are taken before the norm, which
 * belongs to the receiver; biases after attention belong to no sender.  If the direct edge of q,
 * k or v is absent, it is that of the reference.  A family with a norm after attention: a head's
 * out is its part of the sum, times the scale and divided by the root mean square of the whole
 * sum of that run.
 *
 * The run's layers below a receiver do not depend on its edges, so a run goes on from there.
 * Arithmetic is float32.  A block of sequences is one thread's work; a parallel
 * region runs several.  Everything here is Local.
 */
#ifndef GRAPH_FORWARD_H
#define GRAPH_FORWARD_H

#include "circuit/graph.h"
#include "lm/forward.h"

struct graph_forward {
    const struct graph *graph;
    struct forward forward;     /* one block of sequences, and the parts of a layer */
    /* The reference. */
    float *reference;           /* [senders, rows, width] out' */
    float *stream;    /* [2 layers + 1, rows, width] in' of attention, MLP, ..., and the end */
    float *qkv;       /* [layers, rows, (heads + 2 kv_heads) head_width] before their positions */
    /* The run. */
    float *difference;          /* [senders, rows, width] out - out' */
    bool  *fixed;               /* [senders] its difference is the caller's, and not computed */
    int32_t limited;    /* a receiver q, k or v that follows its edges at some rows only, and */
    const bool *limits; /* [rows] which; at the others it is the reference's.  NULL: at all */
};

/* Bytes that graph_forward_make() allocates. */
int64_t graph_forward_bytes(const struct graph *graph, const struct lm_config *config,
                            int64_t sequences, int64_t context);

/* Numbers of the scratch of a thread. */
int64_t graph_forward_scratch(const struct graph *graph, const struct lm_config *config);

/* Allocate for blocks of `sequences` sequences.  The weights are in float32; they and the graph
 * must outlive it.  graph_forward_free() accepts an empty one. */
void graph_forward_make(struct graph_forward *f, const struct graph *graph,
                        const struct weights *weights, int64_t sequences, int64_t context);
void graph_forward_free(struct graph_forward *f);

/* Make the reference: the model as it is, on these ids; or, if `zero`, with 0 in place of what
 * each sender makes (biases after attention stay, and so do the queries, keys and values of an
 * input of 0).
 *   ids     [sequences, context]  in, such as forward_check() accepts
 *   scratch [graph_forward_scratch()] */
void graph_forward_reference(struct graph_forward *f, const int32_t *ids, int64_t sequences,
                             bool zero, float *scratch);

/* Make another reference, of as many sequences; the one before becomes the run, with all edges. */
void graph_forward_refer(struct graph_forward *f, const int32_t *ids, bool zero, float *scratch);

/* Run from the layer of `receiver` on; what lies below must be as the same edges left it.
 *   scratch [graph_forward_scratch()] */
void graph_forward_run(struct graph_forward *f, const struct graph_edges *edges, int32_t receiver,
                       float *scratch);

/* The last residual stream at some rows, after a run.
 *   stream [count, width]  out
 *   rows   [count]         in: sequence * context + position */
void graph_forward_end(const struct graph_forward *f, const struct graph_edges *edges,
                       float *stream, const int64_t *rows, int64_t count);

#endif
