/* update.h -- the second half of a step: gradients, and what Adam makes of them. */
#ifndef UPDATE_H
#define UPDATE_H

#include "sae/workspace.h"

/* The gradients that are sums over a latent's entries: bias_gradient, threshold_gradient,
 * along; and the coefficients of the weights' gradients, in columns->value and gradient.
 * To be called after decode_back().  `slope` as in step.h.  Local. */
void find_latent_gradients(const struct training *training, struct workspace *workspace,
                           double slope);

/* decoder_bias_gradient, from the column sums of the residual (over all rows, all columns
 * of all ranks) and the encoder before it is moved.  Collective. */
void find_decoder_bias_gradient(const struct training *training, struct workspace *workspace,
                                const double *column_sums);

/* Move all parameters.  The weights' gradients exist only a group of latents at a time.
 * Collective. */
void update(struct training *training, struct workspace *workspace);

#endif
