/* clip.h -- a bound on the norm of all gradients together.
 *
 * The norm must be known before any gradient is used, so the gradients of the weights are made
 * twice, and a step of several passes (pass.h) goes through them once more.
 */
#ifndef CLIP_H
#define CLIP_H

#include "step/norms.h"
#include "step/weight_gradients.h"

/* Add the squares of the gradients of a pass's latents to `squares`.  Collective. */
void clip_add_squares(const struct weight_sources *sources, struct norms *norms, double *squares);

/* The factor that brings the norm of all gradients to the recipe's `clip` if it exceeds that, when
 * the squares of all passes are added and the decoder bias has its gradient.  Collective. */
double clip_factor(const struct weight_sources *sources, struct norms *norms, double squares);

/* Scale by gradients->factor the coefficients of the weights' gradients of a pass; the gradients of
 * everything else.  Local. */
void clip_entries(const struct training *training, struct gradients *gradients);
void clip_vectors(const struct training *training, struct gradients *gradients);

#endif
