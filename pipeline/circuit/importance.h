/* importance.h -- which heads and MLPs matter to a metric, to first order.
 *
 * Head importance (Michel et al., arXiv:1905.10650), as Conmy et al., arXiv:2304.14997, adapt it to
 * compare searches with: the mean over prompts of |(out - out') . dL/d out|, divided by the root of
 * the sum of squares over the heads and the MLP of the same layer.  Everything here is Local.
 */
#ifndef IMPORTANCE_H
#define IMPORTANCE_H

#include "circuit/eap.h"

/* The importance of each sender, [senders]; 0 of embeddings.  Caller frees. */
double *importance_of(const struct eap *eap, const struct graph *graph);

/* Heads and MLPs, the most important first; of equal ones the first.
 *   nodes [senders - embeddings]  out
 *   importance [senders]          in */
void importance_rank(int32_t *nodes, const double *importance, const struct graph *graph);

/* The circuit of the first `count` nodes: all edges between them, the embeddings and the end.
 * graph_edges_free() frees it. */
void importance_circuit(struct graph_edges *circuit, const struct graph *graph,
                        const int32_t *nodes, int32_t count);

#endif
