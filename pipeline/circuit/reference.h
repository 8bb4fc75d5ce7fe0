/* reference.h -- a circuit from a file, with which others are compared.
 *
 * The file is JSON: an object with "edges", a list of names as the results of acdc have them
 * ("a0.0->m0", "direct a0.0.q"), or with "nodes", heads and MLPs ("a9.6", "m0").  So the result of
 * one search can be the reference of another.  Everything here is Local.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "circuit/graph.h"

struct reference {
    struct graph_edges present;     /* of a circuit of nodes: an edge from each to the end */
    bool               by_edges;    /* the edges are known, and not the nodes alone */
};

/* Read it for a model.  reference_free() accepts an empty one.  E_IO; E_FORMAT; E_USAGE names what
 * the model does not have, or a circuit that is empty or the whole model: nothing compares. */
enum status reference_read(struct reference *reference, const struct graph *graph,
                           const char *path);
void        reference_free(struct reference *reference);

#endif
