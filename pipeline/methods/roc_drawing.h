/* roc_drawing.h -- a curve of circuits next to a reference (circuit/roc.h) as a drawing.
 *
 * The area below the staircase is the certain one: between two points it lies as low as the first.
 * When the pointer is on a point, browsers show its shares.  Local.
 */
#ifndef ROC_DRAWING_H
#define ROC_DRAWING_H

#include <jansson.h>
#include <stdio.h>

/* Write a <figure> for a curve, {"points": [[wrong, right], ...], "area": 0.9}.
 *   title  what the circuits are
 *   of     "edges" or "nodes" */
void roc_drawing_write(FILE *out, const json_t *curve, const char *title, const char *of);

/* Write the figures of {"by_edges": curve, "by_nodes": curve}; a member may be missing. */
void roc_drawing_write_both(FILE *out, const json_t *curves, const char *title);

#endif
