/* subnetwork.h -- subnetwork probing: which queries, keys, values and MLPs does a metric need?
 *
 * Each of them gets a gate g between 0 and 1, and x becomes g x + (1 - g) x', where x' is what it
 * is in the reference, the corrupted run for example.  Gates are drawn from the hard concrete
 * distribution (Louizos et al., arXiv:1712.01312).  Its parameters log_alpha are trained, so that
 * gates close where the metric does not suffer (Cao et al., arXiv:2104.03514; with x' of corrupted
 * prompts Conmy et al., arXiv:2304.14997, appendix):
 *
 *     s = sigmoid((log u - log(1 - u) + log_alpha) / beta),  u uniform
 *     g = min(1, max(0, s (zeta - gamma) + gamma))
 *     loss = metric + lambda * sum over gates of P(g > 0)
 *     P(g > 0) = sigmoid(log_alpha - beta log(-gamma / zeta))
 *
 * with beta 2/3, gamma -0.1, zeta 1.1.  All prompts of a step have the same gates, which depend on
 * the seed and the step.  Parameters begin where a gate without noise is 0.9, and follow Adam
 * (beta 0.9 and 0.999) with a rate of 0.05.  In the end a gate is open if log_alpha > 0: without
 * noise it is above 1/2 then.  22 steps can bring log_alpha to 0.
 *
 * The number of a gate is that of its receiver in the graph; all receivers but `final` have one.
 */
#ifndef SUBNETWORK_H
#define SUBNETWORK_H

#include "circuit/walkers.h"

struct subnetwork {
    struct experiment *e;           /* not owned */
    int32_t            count;       /* of gates */
    struct walker     *walkers;     /* [threads] */
    int                threads;
    /* x - x' of the block that a thread is in. */
    float             *qkv;         /* [threads, layers, rows, (heads + 2 kv_heads) head_width] */
    float             *mlp;         /* [threads, layers, rows, width] */
    float             *gradients;   /* [questions, width] by the last streams */
    double            *parts;       /* [prompts, count] of each gate's gradient */
};

/* Bytes that subnetwork_make() allocates, with `threads` threads.  Local. */
int64_t subnetwork_bytes(const struct experiment_setup *setup, const struct lm_config *config,
                         int threads);

/* Prepare gates on an experiment, which must outlive them.  subnetwork_free() accepts an empty one.
 * Local. */
void subnetwork_make(struct subnetwork *subnetwork, struct experiment *experiment);
void subnetwork_free(struct subnetwork *subnetwork);

/* The metric with these gates, and its derivatives by them.
 *   gradients [count]  out
 *   gates     [count]  in
 * The same on all ranks, and on any number of them.  Collective. */
double subnetwork_gradients(struct subnetwork *subnetwork, double *gradients, const float *gates);

struct subnetwork_options {
    double   lambda;
    int64_t  steps;
    uint64_t seed;
};

/* Train.
 *   log_alpha [count]  out
 *   told      called after each step; what it returns ends the training unless it is OK
 * Collective.  What `told` returns. */
enum status subnetwork_train(struct subnetwork *subnetwork, float *log_alpha,
                             const struct subnetwork_options *options,
                             enum status (*told)(void *context, int64_t steps), void *context);

/* A gate, and its derivative by log_alpha; and the probability that it is not 0.  `u` is the
 * noise, between 0 and 1; 1/2 is none.  Local. */
double subnetwork_gate(double *slope, double log_alpha, double u);
double subnetwork_chance(double log_alpha);

/* What gates that are open or closed mean in the graph: all edges are there but the direct ones of
 * closed queries, keys and values and those that leave closed MLPs.  And the circuit that they
 * make: all edges between the open ones, the embeddings and the end; a head is open if one of its
 * gates is.  graph_edges_free() frees them.  Local. */
void subnetwork_edges(struct graph_edges *edges, const struct graph *graph, const bool *open);
void subnetwork_circuit(struct graph_edges *circuit, const struct graph *graph, const bool *open);

#endif
