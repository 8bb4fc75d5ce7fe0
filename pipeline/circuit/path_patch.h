/* path_patch.h -- the effect of what some heads send along paths of a kind.
 *
 * Wang et al., arXiv:2211.00593, appendix B: the senders are as in the corrupted run; a receiver
 * gets what comes of that while all queries, keys and values of other heads stay those of the
 * clean run; then only this receiver is changed in the clean run, and the metric is measured.
 * MLPs between them are computed again, or stay those of the clean run; then the path is the
 * single edge from sender to receiver.
 *
 * All of it is one run on a part of the graph whose absent edges carry the clean run: edges from
 * the senders (and MLPs) to the receiver, and all edges among what comes after it.
 */
#ifndef PATH_PATCH_H
#define PATH_PATCH_H

#include "circuit/experiment.h"

struct path_patch {
    const int32_t *senders; /* [count], all in layers below the receiver's; or MLPs below them */
    int32_t        count;
    int32_t        receiver;    /* q, k or v of a head, or final */
    bool           frozen;      /* MLPs between are those of the clean run */
    bool           questions;   /* q, k, v: only at the positions of the questions, else at all */
};

/* Measure.  The value of each prompt is in experiment_values(clean).
 *   clean       an experiment whose clean and corrupted prompts are the clean ones
 *   corrupted   one in which both are the corrupted ones
 * Returns the mean.  Collective. */
double path_patch_value(struct experiment *clean, const struct experiment *corrupted,
                        const struct path_patch *path);

#endif
