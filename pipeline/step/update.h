/* update.h -- the last part of a step: what Adam makes of the gradients. */
#ifndef UPDATE_H
#define UPDATE_H

#include "step/workspace.h"

/* Squared norms of the decoder's rows, in `norms`, on every rank.  Collective. */
void find_decoder_norms(const struct training *training, struct workspace *workspace);

/* Move the weights of the latents whose turn it is, by gradients that are made on the way.  Each
 * parameter is read and written once.  Local. */
void update_weights(struct training *training, struct workspace *workspace);

/* When all turns are over: everything else, and decoder rows back to norm 1.  Collective. */
void update_rest(struct training *training, struct workspace *workspace);

#endif
