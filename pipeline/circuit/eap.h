/* eap.h -- edge attribution patching: what removing each edge would do to a metric, to first
 * order.
 *
 * Syed, Rager and Conmy, arXiv:2310.10348, section 3:
 *
 *     score(u, v) = sum over prompts, positions and dimensions of (out[u] - out'[u]) . dL/d in[v]
 *
 * where dL/d in[v] is the derivative through the receiver v alone, at the clean run; removing the
 * edge changes L by about -score.  With integrated gradients (Hanna et al., arXiv:2403.17806) the
 * derivative is the mean over runs whose embedding goes in `steps` equal steps from the corrupted
 * prompts' to the clean ones'.
 *
 * L is the metric of the experiment.  One that compares with the clean run has no gradient there,
 * and is refused without steps.
 */
#ifndef EAP_H
#define EAP_H

#include "circuit/experiment.h"

struct eap {
    double *score;      /* [receivers, senders] 0 where there is no edge */
    double *absolute;   /* [receivers, senders] sum over prompts of the size of a prompt's part */
    double *importance; /* [senders] sum over prompts of the size of (out - out') . dL/d out: a
                           prompt's scores of all edges that leave the sender */
};

/* Bytes that eap_run() allocates besides the experiment, on the first rank of `size` with `threads`
 * threads; on no other rank more.  Local. */
int64_t eap_bytes(const struct experiment_setup *setup, const struct lm_config *config, int size,
                  int threads);

/* Refuse a metric without a gradient at the clean run, unless there are steps.  Local.  E_USAGE. */
enum status eap_check(enum circuit_metric metric, int steps);

/* Score all edges; after it the experiment's run has all edges.  0 steps: plain.  eap_free()
 * accepts an empty one.  The same on all ranks.  Collective.  As eap_check(). */
enum status eap_run(struct eap *eap, struct experiment *experiment, int steps);
void        eap_free(struct eap *eap);

/* All edges, those with the largest scores first, whatever their sign.
 *   edges [graph_edges(), 2]  out: sender and receiver
 * Local. */
void eap_rank(int32_t (*edges)[2], const struct eap *eap, const struct graph *graph);

/* The circuit of the first `count` edges; q, k and v that one of them enters have their direct
 * edges.  graph_edges_free() frees it.  Local. */
void eap_circuit(struct graph_edges *circuit, const struct graph *graph,
                 const int32_t (*edges)[2], int64_t count);

/* What removing one edge really does to L, for `count` edges; all edges are there otherwise.
 *   effects [count]             out
 *   edges   [count, 2]          in: sender and receiver
 *   whole                       in: L with all edges
 * Collective. */
void eap_effects(double *effects, struct experiment *experiment, const int32_t (*edges)[2],
                 int64_t count, double whole);

/* How well scores predict effects: effect = slope * -score + constant by least squares, and the
 * share of the effects' variance that this line explains.  Local. */
struct eap_fit {
    double slope, r2;
};
struct eap_fit eap_fit(const double *effects, const double *scores, int64_t count);

#endif
