/* copy_suppression.h -- how much of what a head does is copy suppression?
 *
 * CSPA, the ablation that keeps nothing else (McDougall et al., arXiv:2310.04625, section 3.3, and
 * their code).  A head's output at destination d is a sum over sources s <= d, with attention A and
 * values v (b_V included, b_O not):
 *
 *   c(d,s) = A(d,s) v(s) W_O                        what source s contributes
 *   m(d,s) = A(d,s) mean(d)                         the same, ablated: mean(d) is the head's mean
 *                                                   output at position d over other text, or 0
 *   kept(d,s) = m(d,s) + min(0, (c(d,s) - m(d,s)) . u(s)) u(s)   if the source survives
 *             = m(d,s)                                           otherwise
 *
 * u(s) is the unit direction of the source's own token (unembedding.h): only what lowers its logit
 * stays.  A source survives if its token is predicted before the head's layer: by the logit lens at
 * d, (residual before the layer / size of the final norm) . direction, it is among the k highest of
 * the distinct tokens up to d, k = ceil(share (d + 1)).  All occurrences of a token survive.
 * Function words get the lens value -1e9.  As in the authors' code, sources survive from the k-th
 * value - 1e-6 on: so where k reaches the function words, all of them survive.
 *
 * Only the direct path to the logits changes: (stream + kept - c) / size of the final norm of the
 * clean run.  The head is scored by
 *
 *   1 - sum KL(clean || kept) / sum KL(clean || ablated)        over all rows and positions
 *
 * A norm after attention counts as the clean run's factor; a soft-cap of the logits is applied.
 *
 * Sums are of one sequence at a time: give each a block of its own (block_sum.h).  Memory: the
 * logits of a sequence, [context, vocabulary].  Time: of a head and variant, that of the logits of
 * the sequence.  Everything here is Local, and does not depend on the number of threads.
 */
#ifndef COPY_SUPPRESSION_H
#define COPY_SUPPRESSION_H

#include "heads/unembedding.h"
#include "lm/forward.h"

/* What an ablation keeps. */
struct copy_suppression_variant {
    double share;   /* of the tokens up to d, rounded up, whose sources survive; 1: all, which is
                           "OV only" */
    int32_t tokens;     /* above 0: this number of tokens, whatever `share` says */
    bool    whole;      /* all that a surviving source contributes stays: "QK only" */
};

/* Sums of a head and position that come before those of the variants: KL with the head's output
 * ablated to its mean (to 0 if there is none), and to 0. */
enum { COPY_SUPPRESSION_MEAN, COPY_SUPPRESSION_ZERO, COPY_SUPPRESSION_VARIANTS };

struct copy_suppression_job {
    const struct weights     *weights;
    const struct unembedding *unembedding;
    int64_t                   context;          /* tokens of a sequence */
    const struct copy_suppression_variant *variants;
    int                       count;            /* of variants */
    const bool               *function_word;    /* [vocabulary]; NULL: none */
    const float              *mean;             /* [layers, context, heads * head_width], from
                                                   copy_suppression_add_means(); NULL: 0 */
};

struct copy_suppression {
    struct copy_suppression_job job;
    struct forward forward;
    float *stream;              /* [context, width] the last residual stream of the clean run */
    float *size;                /* [context] of the final norm there */
    float *clean, *capped; /* [context, vocabulary] logits; the same array without a soft-cap */
    float *clean_sum;           /* [context] logs of their sums */
    float *unit;                /* [context, width] u(s) */
    float *lens;                /* [context, context] at d, of the token of s */
    float *threshold;           /* [count, context] from which sources survive at d */
    float *sorted;              /* [context, context] scratch: lens values of distinct tokens */
    bool  *fresh;               /* [context] is this the token's first occurrence? */
    float *gain;                /* [context] 1 / size of a norm after attention; 1 without */
    float *attention;           /* [context, context] of the present head */
    float *parts;               /* [context, context] (c(d,s) - m(d,s)) . u(s) */
    float *along;               /* [context] v(s) W_O . u(s) */
    float *written, *own, *mean;        /* [context, width] v(s) W_O; the head's output; its mean */
    float *factors;             /* [context, context] of u(s), or of v(s) W_O */
    float *change;              /* [context, width] kept - c */
    float *logits;              /* [tile, vocabulary] */
    float *logits_sum, *kl;     /* [tile] */
    int64_t tile;               /* rows */
};

/* Bytes that copy_suppression_make() allocates.  The job's pointers must outlive it; check the
 * weights by unembedding_check() first.  copy_suppression_free() accepts an empty one. */
int64_t copy_suppression_bytes(const struct lm_config *config, int64_t context, int variants,
                               int threads);
void    copy_suppression_make(struct copy_suppression *cspa,
                              const struct copy_suppression_job *job);
void    copy_suppression_free(struct copy_suppression *cspa);

/* Add the outputs of all heads on one sequence, before W_O; divide by the number of sequences for
 * job.mean.
 *   sums [layers, context, heads * head_width]   in and out
 *   ids  [context]                               in
 * As forward_start(). */
enum status copy_suppression_add_means(struct copy_suppression *cspa, double *sums,
                                       const int32_t *ids);

/* Add the divergences of one sequence, nats, for some heads, head h of layer l being
 * l * heads + h.
 *   sums [heads, COPY_SUPPRESSION_VARIANTS + count, context]   in and out
 *   ids  [context]                                            in
 *   head [heads]                                              in, ascending
 * As forward_start(). */
enum status copy_suppression_add(struct copy_suppression *cspa, double *sums, const int32_t *ids,
                                 const int64_t *head, int64_t heads);

/* The score of a variant, from the sums of one head; NaN if ablation changes nothing. */
double copy_suppression_score(const double *sums, int variant, int64_t context);

#endif
