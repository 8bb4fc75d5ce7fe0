/* knockout.h -- what a model answers without some of its heads at some positions.
 *
 * A node is a head at the positions of one class: of the indirect object, of the subject's first
 * mention, of the token after it, of its second mention, of the end, or at all the rest.  A set of
 * nodes is a circuit: the output of every other node is replaced by its mean (template_means.h),
 * all that follows is computed again, and MLPs stay.  F(set) is the mean over prompts of the logit
 * difference that remains (Wang et al., arXiv:2211.00593, section 2.2).
 *
 * A position of two classes counts as one of the first of them.  A block of circuit.block prompts
 * is a thread's work, and prompts are added in their order, so F has the same bits on any number
 * of ranks and threads.
 */
#ifndef KNOCKOUT_H
#define KNOCKOUT_H

#include "methods/differences.h"
#include "methods/template_means.h"

/* Classes of positions: those of prompts.h, and the rest. */
enum { KNOCKOUT_REST = PROMPTS_CLASSES, KNOCKOUT_CLASSES };

const char *knockout_class_name(int class);

/* The class of that name; -1: none.  Local, as all here that says nothing else. */
int knockout_class_parse(const char *name);

/* Has any prompt a position of each class?  Nodes of other classes do not exist. */
void knockout_classes(bool used[KNOCKOUT_CLASSES], const struct prompts *prompts);

/* What computes blocks of prompts: one for each thread. */
struct knockout_worker {
    struct forward     forward;
    struct differences differences;
};

struct knockout {
    const struct circuit   *circuit;
    struct template_means   means;
    int64_t                 nodes;      /* (layer * heads + head) * KNOCKOUT_CLASSES + class */
    uint8_t                *class;      /* [prompts, tokens] of each position */
    int                     threads;
    struct knockout_worker *workers;    /* [threads] */
    double                 *values;     /* [prompts] logit differences of the last run */
};

/* Bytes that knockout_make() allocates.  knockout_free() accepts an empty one. */
int64_t knockout_bytes(const struct suite *suite, const struct lm_config *config,
                       struct circuit_shape shape);

/* Find the means.  Collective.  As template_means_find(), forward_check(). */
enum status knockout_make(struct knockout *k, const struct circuit *circuit);
void        knockout_free(struct knockout *k);

/* F of a set, on all ranks; the logit differences of all prompts are then in k->values.
 *   kept [k->nodes]  in
 * Collective. */
double knockout_value(struct knockout *k, const bool *kept);

#endif
