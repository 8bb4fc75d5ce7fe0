/* template_means.h -- the mean output of each head over corrupted prompts, by which a head is
 * knocked out.
 *
 * Mean ablation replaces a head's output by what it is on average at this position in the corrupted
 * prompts of the same template, whose words stand in the same places (Wang et al.,
 * arXiv:2211.00593, section 2.2).  If these are not of one length, a position's mean is over
 * those that have it.
 */
#ifndef TEMPLATE_MEANS_H
#define TEMPLATE_MEANS_H

#include "lm/forward.h"
#include "methods/methods.h"

struct template_means {
    int64_t layers, tokens, width;  /* width: of all heads together */
    float  *mean;                   /* [templates, layers, tokens, width] */
};

/* Bytes that template_means_find() allocates, at its peak.  Local. */
int64_t template_means_bytes(const struct lm_config *config, struct circuit_shape shape);

/* Find the means, on every rank, with the same bits on any number of ranks.
 *   forward  of blocks of circuit.block prompts
 * template_means_free() is due after a failure, too.  Collective.  As forward_start(); E_STOPPED.
 */
enum status template_means_find(struct template_means *means, const struct circuit *circuit,
                                struct forward *forward);
void        template_means_free(struct template_means *means);

/* The mean [width] at a position in a layer. */
const float *template_means_row(const struct template_means *means, int64_t template,
                                int64_t layer, int64_t token);

/* Replace a head's output by its mean, at one token of a sequence of the block, which stands at the
 * site attn of the layer. */
void template_means_put(const struct template_means *means, struct forward *forward,
                        int64_t sequence, int64_t template, int layer, int32_t head, int64_t token);

#endif
