/* acdc.h -- automatic circuit discovery: remove every edge whose absence the metric hardly
 * notices.
 *
 * Conmy et al., arXiv:2304.14997, algorithm 1.  Receivers are visited from the end of the model
 * to its beginning: final; then layer by layer the MLP and each head's q, k and v.  At q, k and v
 * the direct edge is tested first, then the edges of the senders, the last one first.  An edge is
 * removed for good if the metric then grows by less than the threshold.
 *
 * Not tested, since they cannot change the metric, and removed: what enters a node that nobody
 * reads any more; what enters q, k or v whose direct edge is absent; and, if absent edges carry
 * the activations of corrupted prompts, what leaves a node that reads nothing any more.  (With
 * zeros in their place such a head still makes something of its biases.)
 */
#ifndef ACDC_H
#define ACDC_H

#include "circuit/graph.h"

/* The order of the heads of a layer. */
enum acdc_order { ACDC_REVERSE, ACDC_NORMAL, ACDC_RANDOM };

struct acdc_options {
    double          threshold;
    bool            absolute;   /* compare the size of the change: edges that hurt stay, too */
    bool            zero;       /* absent edges carry 0 */
    enum acdc_order order;
    uint64_t        seed;       /* of the random order */
};

struct acdc_step {
    int32_t sender, receiver;   /* sender: GRAPH_DIRECT for a direct edge */
    double  value;              /* of the metric without the edge */
    bool    removed;
};

struct acdc {
    double            start, value;     /* of the metric: all edges, and those that remain */
    struct acdc_step *steps;
    int64_t           count;
};

/* The metric with these edges, which differ from those of the call before at this receiver and
 * above.  The same on all ranks. */
typedef double acdc_value(void *context, const struct graph_edges *edges, int32_t receiver);

/* Search.
 *   edges     in: all that may be in the circuit; out: the circuit
 *   known     [count] steps that an earlier search on the same edges with the same options made;
 *             they are not tested again.  NULL: none
 *   told      called after each new step; returns E_STOPPED to end the search there.  NULL: nobody
 * The caller frees with acdc_free().  Collective if `value` is.  What `told` returns. */
struct acdc_search {
    struct acdc_options     options;
    acdc_value             *value;
    void                   *context;
    const struct acdc_step *known;
    int64_t                 count;
    enum status           (*told)(void *context, const struct acdc *acdc);
};
enum status acdc_run(struct acdc *acdc, struct graph_edges *edges,
                     const struct acdc_search *search);
void acdc_free(struct acdc *acdc);

#endif
