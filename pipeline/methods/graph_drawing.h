/* graph_drawing.h -- edges of a model's graph as a drawing.
 *
 * Layers lie upward, from the embedding to the end; the heads of a layer lie side by side, its MLP
 * to their right, above them if it reads what they add.  A line from node to node stands for all
 * edges between the two, those to q, k and v; the strongest gives it its width and colour.  When
 * the pointer is on a line or a node, browsers show its edges with their numbers, direct ones at
 * their node.  Keys and values that several heads share are at the first of these.  Local.
 */
#ifndef GRAPH_DRAWING_H
#define GRAPH_DRAWING_H

#include "circuit/graph.h"

#include <stdio.h>

struct graph_drawing_edge {
    int32_t sender, receiver;   /* sender below 0: a direct edge */
    double  number;             /* its strength, with a sign */
};

/* Write an <svg>.  `sign`, 1 or -1: a number has the colour var(--plus) if sign * number > 0,
 * var(--minus) if it is below 0 (base/html.h). */
void graph_drawing_write(FILE *out, const struct graph *graph,
                         const struct graph_drawing_edge *edges, int64_t count, double sign);

/* "a0.3 → a2.4.q", or "direct a2.4.q".  Returns `name`. */
enum { GRAPH_DRAWING_NAME = 2 * GRAPH_NAME + 8 };
const char *graph_drawing_name(char name[GRAPH_DRAWING_NAME], const struct graph *graph,
                               const struct graph_drawing_edge *edge);

#endif
