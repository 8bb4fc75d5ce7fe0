/* roc.h -- how well circuits of growing size agree with a reference circuit.
 *
 * Conmy et al., arXiv:2304.14997, section 4: a circuit is a point, the share of the wrong edges
 * that it has and the share of the right ones.  (0, 0) and (1, 1) are points, too; a point with
 * less to show for more wrong edges than another is left out; and the area is that below the
 * staircase that is certain, so it is 0 for (0, 0) and (1, 1) alone.  Everything here is Local.
 */
#ifndef ROC_H
#define ROC_H

#include "circuit/graph.h"

struct roc_point {
    double wrong, right;    /* false and true positive rates */
};

/* The point of a circuit, by its edges, direct ones included; or by nodes: heads and MLPs with an
 * edge that leaves or enters them.  The reference has edges or nodes, and lacks some. */
struct roc_point roc_by_edges(const struct graph_edges *circuit,
                              const struct graph_edges *reference);
struct roc_point roc_by_nodes(const struct graph_edges *circuit,
                              const struct graph_edges *reference);

/* The points of the staircase, in order, and the area below it.
 *   curve  [count + 2]  out
 *   points [count]      in
 * Returns how many are left. */
int64_t roc_curve(struct roc_point *curve, const struct roc_point *points, int64_t count);
double  roc_area(const struct roc_point *curve, int64_t count);

#endif
