/* backpropagate.h -- from residuals to the gradients of latents. */
#ifndef BACKPROPAGATE_H
#define BACKPROPAGATE_H

#include "step/criteria.h"
#include "step/gradients.h"
#include "step/loss.h"

/* Fill `gradients` for the latents that are listed, when the residuals are complete.
 *   dots_begun   this rank is rank 0, and decode() has put its dot products into gradients->dots
 * Collective. */
void backpropagate(const struct training *training, const struct criteria *criteria,
                   const struct penalty *penalty, const struct lists *lists,
                   const struct residuals *residuals, bool dots_begun,
                   struct step_scratch *scratch, struct gradients *gradients);

/* The gradient of the decoder's bias, after all passes.  Collective. */
void backpropagate_decoder_bias(const struct training *training, const struct errors *errors,
                                struct gradients *gradients);

struct scratch_size backpropagate_scratch(const struct step_sizes *sizes);

#endif
