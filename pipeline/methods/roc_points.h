/* roc_points.h -- circuits next to the suite's reference circuit: their points, and the curve of
 * them, as JSON (RESULTS.md).  Everything here is Local. */
#ifndef ROC_POINTS_H
#define ROC_POINTS_H

#include "circuit/importance.h"
#include "circuit/reference.h"
#include "circuit/roc.h"
#include "methods/methods.h"

#include <jansson.h>

struct roc_points {
    struct roc_point edges, nodes;      /* edges: NaN if the reference has nodes alone */
};

/* Read circuit.reference; the graph must stay.  `given` says whether there is one.  As
 * reference_read(). */
enum status roc_points_reference(struct reference *reference, bool *given,
                                 const struct graph *graph, const struct suite *suite);

/* The same for a model, to refuse what cannot be compared. */
enum status roc_points_check(const struct suite *suite, const struct lm_config *config);

struct roc_points roc_points_of(const struct graph_edges *circuit,
                                const struct reference *reference);

/* Those of circuits of growing size: of the edges with the largest scores, each about a tenth
 * larger than the one before; and of the most important nodes.  Return how many there are.
 *   points     [graph_edges()]  out
 *   importance [senders]        in */
int64_t roc_points_of_scores(struct roc_points *points, const struct graph *graph,
                             const struct eap *eap, const struct reference *reference);
int64_t roc_points_of_nodes(struct roc_points *points, const struct graph *graph,
                            const double *importance, const struct reference *reference);

/* {"by_edges": {"points": [[wrong, right], ...], "area": 0.9}, "by_nodes": ...}: the points in the
 * order of the curve, from (0, 0) to (1, 1).  Caller owns it. */
json_t *roc_points_curve(const struct roc_points *points, int64_t count);

#endif
