/* node_search.h -- the circuit of nodes that carries a behaviour.
 *
 * F is a number of a set of nodes, M the set of all that exist (knockout.h).  Search: first
 * single(v) = F(M - v) - F(M) of each node; then nodes are taken out of the set one by one, the
 * least |single| first, and v stays out if F is then near F(M) and near F before, within shares of
 * |F(M)|.
 *
 * Everything here is Collective if `value` is, and stops with what `value` returns.
 */
#ifndef NODE_SEARCH_H
#define NODE_SEARCH_H

#include "base/refuse.h"

#include <stdbool.h>
#include <stdint.h>

/* What is searched.  Node (layer * heads + head) * classes + class. */
struct node_space {
    int32_t     layers, heads, classes;
    const bool *whole;          /* [nodes] M: which exist */
    /* F of a set [nodes]. */
    enum status (*value)(void *context, double *value, const bool *set);
    void       *context;
};

int64_t node_search_nodes(const struct node_space *space);

struct node_step {
    int64_t node;
    bool    removed;
    double  value;              /* without the node, and without those removed before */
};

struct node_search {
    double            whole;    /* F(M) */
    double           *single;   /* [nodes] NaN: does not exist */
    struct node_step *steps;    /* [count] in order */
    int64_t           count;
    bool             *circuit;  /* [nodes] what remains */
};

/* How far F may move, as shares of |F(M)|: from F(M), and at one step. */
struct node_tolerance {
    double all, step;
};

/* Search.  node_search_free() accepts an empty one, and is due after a failure, too. */
enum status node_search_run(struct node_search *search, const struct node_space *space,
                            struct node_tolerance tolerance);
void        node_search_free(struct node_search *search);

#endif
