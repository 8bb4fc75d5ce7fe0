/* self_repair.h -- which heads make good the loss when others are ablated?
 *
 * When heads that matter are ablated, a difference of logits drops by less than what they add to it
 * directly: later heads change.  McDougall et al. (arXiv:2310.04625, section 4) ask which share of
 * this self-repair is due to heads that suppress copies.  With M a difference of logits,
 * logit(right) - logit(wrong), and D(h) what head h adds to it directly, (output of h) .
 * (difference of directions) / (size of the final norm of the same run):
 *
 *   predicted drop   sum over the ablated heads of D of what the ablation takes away, with the
 *                    norms of the clean run
 *   observed drop    M(clean run) - M(ablated run)
 *   self-repair      predicted - observed
 *   share of h       (D(h) in the ablated run - D(h) in the clean run) / self-repair
 *
 * Heads are ablated at all positions.  M is taken before a soft-cap of the logits.  Sums are of one
 * prompt at a time: give each a block of its own (block_sum.h).  Everything here is Local, and does
 * not depend on the number of threads.
 */
#ifndef SELF_REPAIR_H
#define SELF_REPAIR_H

#include "heads/unembedding.h"
#include "lm/forward.h"

/* Sums over prompts: M of both runs, the predicted drop, and from SELF_REPAIR_HEADS on the change
 * of D of each head, head h of layer l being l * heads + h. */
enum { SELF_REPAIR_CLEAN, SELF_REPAIR_ABLATED, SELF_REPAIR_PREDICTED, SELF_REPAIR_HEADS };

struct self_repair_prompt {
    const int32_t *ids;         /* [context]; what comes after `end` does not matter */
    int64_t        end;         /* the position whose logits count */
    int32_t        right, wrong;
};

struct self_repair_job {
    const struct weights     *weights;
    const struct unembedding *unembedding;
    int64_t                   context;
    const bool               *ablated;  /* [layers * heads] */
    const float              *mean;     /* [layers, context, heads * head_width] what the outputs of
                                           ablated heads become, before W_O; NULL: 0 */
};

/* A run, at the position whose logits count. */
struct self_repair_run {
    float *heads;               /* [layers, heads * head_width] outputs before W_O */
    float *gain;                /* [layers] 1 / size of the norm after attention; 1 without */
    double size;                /* of the final norm */
    double metric;              /* M */
};

struct self_repair {
    struct self_repair_job job;
    struct forward forward;
    struct self_repair_run clean, ablated;
    float *direction;           /* [width] of right minus that of wrong */
    float *reading;             /* [layers, heads * head_width] of the direction through W_O */
    float *row;                 /* [width] */
};

/* Bytes that self_repair_make() allocates.  The job's pointers must outlive it; check the weights
 * by unembedding_check() first.  self_repair_free() accepts an empty one. */
int64_t self_repair_bytes(const struct lm_config *config, int64_t context, int threads);
void    self_repair_make(struct self_repair *repair, const struct self_repair_job *job);
void    self_repair_free(struct self_repair *repair);

/* Add the sums of a prompt.
 *   sums [SELF_REPAIR_HEADS + layers * heads]  in and out
 * As forward_start(). */
enum status self_repair_add(struct self_repair *repair, double *sums,
                            const struct self_repair_prompt *prompt);

/* From the sums: the self-repair, over all prompts; the share of a head, NaN if there is none. */
double self_repair_total(const double *sums);
double self_repair_share(const double *sums, int64_t head);

#endif
