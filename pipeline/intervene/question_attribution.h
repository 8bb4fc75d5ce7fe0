/* question_attribution.h -- which latents make a model answer questions right.
 *
 * Where a prompt ends, let D be the mean logit of its answers less that of its wrong answers.  The
 * attribution of a latent to D is its effect to first order, a sum over the rows of a site,
 *
 *   sum of f (d . dD/dx)
 *
 * with f the latent's value in a row x, and d its decoder row.  D falls by about as much if the
 * latent is taken away and the error stays (Farrell, Lau, Conmy, arXiv:2410.19278, section 3).  One
 * pass forward and one back gives it for all latents.  BOS and padding are left out, since clamps
 * leave them alone.
 */
#ifndef QUESTION_ATTRIBUTION_H
#define QUESTION_ATTRIBUTION_H

#include "intervene/clamped_runs.h"

/* Bytes of question_attribution_find() with `threads` threads.  Local. */
int64_t question_attribution_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                                   int64_t tokens, int threads);

/* The mean attribution over all prompts, which must have answers and wrong answers.
 *   attribution [latents]  out
 * Collective.  The same bits on any number of ranks and threads.  As forward_start(); E_STOPPED. */
enum status question_attribution_find(const struct clamped_runs_setup *setup,
                                      const struct prompts *prompts, double *attribution);

#endif
