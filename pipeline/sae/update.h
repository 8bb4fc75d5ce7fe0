/* update.h -- the last part of a step: what Adam makes of the gradients. */
#ifndef UPDATE_H
#define UPDATE_H

#include "sae/workspace.h"

/* Squared norms of the decoder's rows, in `norms`, on every rank.  Collective. */
void find_decoder_norms(const struct training *training, struct workspace *workspace);

/* Move all parameters.  Collective. */
void update(struct training *training, struct workspace *workspace);

#endif
