/* clip.h -- a bound on the norm of all gradients together.
 *
 * The norm must be known before any gradient is used, so the gradients of the weights are made
 * twice, and where latents take turns (turns.h) those are taken once more.
 */
#ifndef CLIP_H
#define CLIP_H

#include "step/workspace.h"

/* Add to gradient_square that of the latents whose turn it is.  Collective. */
void add_gradient_squares(const struct training *training, struct workspace *workspace);

/* When all turns are in it: `clipped`, which brings the norm to the recipe's `clip` if it exceeds
 * that.  Collective. */
void find_clipping(const struct training *training, struct workspace *workspace);

/* Scale by it what the gradients of this turn's weights are made of, and the gradients of
 * everything else.  Local. */
void clip_entries(const struct training *training, struct workspace *workspace);
void clip_vectors(const struct training *training, struct workspace *workspace);

#endif
