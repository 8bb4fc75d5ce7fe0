/* node_sets.h -- how well a circuit of nodes carries a behaviour (node_search.h).
 *
 * Criteria of a circuit C (Wang et al., arXiv:2211.00593, section 4):
 *
 *   faithful   |F(M) - F(C)| is small
 *   complete   |F(C - K) - F(M - K)| is small for each K within C: for C's nodes of one class or
 *              layer, for random sets, and for the worst set of a greedy search
 *   minimal    for each v in C there is a K for which |F(C - (K + v)) - F(C - K)| is large: here
 *              C's other nodes of the same class
 *
 * Everything here is Collective if the space's `value` is, and stops with what `value` returns.
 */
#ifndef NODE_SETS_H
#define NODE_SETS_H

#include "methods/node_search.h"

/* K, and F without it. */
enum { NODE_SET_LABEL = 32 };
struct node_set {
    char   label[NODE_SET_LABEL];   /* "class S2", "layer 1", "random 0", "greedy" */
    bool  *nodes;               /* [nodes] */
    double circuit, whole;      /* F(C - K), F(M - K) */
};

struct node_sets {
    struct node_set *set;       /* [count] */
    int64_t          count;
};

/* How many sets, and how the greedy search goes: it begins again `restarts` times with an empty K,
 * to which it adds at each of `steps` steps the worst of `samples` nodes drawn from the rest of C.
 * Its result is the worst set that it meets; none if restarts is 0. */
struct node_plan {
    int64_t  random, restarts, steps, samples;
    uint64_t seed;
};

/* Evaluate the sets, but for empty ones.
 *   circuit     [nodes]    in: C
 *   class_names [classes]  in: for labels
 * node_sets_free() accepts an empty one, and is due after a failure, too. */
enum status node_sets_run(struct node_sets *sets, const struct node_space *space,
                          const bool *circuit, const char *const *class_names,
                          const struct node_plan *plan);
void        node_sets_free(struct node_sets *sets);

/* Sets at most, and evaluations of F at most. */
int64_t node_sets_most(const struct node_space *space, const struct node_plan *plan);
int64_t node_sets_evaluations(const struct node_space *space, const struct node_plan *plan);

/* F(C - v), F(C), F(C - (K + v)), F(C - K) of each node v of C. */
struct node_minimality {
    double without, circuit, without_both, without_others;
};

/*   result [nodes]  out: of nodes that are in C */
enum status node_sets_minimality(struct node_minimality *result, const struct node_space *space,
                                 const bool *circuit);

#endif
