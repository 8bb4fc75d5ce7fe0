/* update.h -- the last part of a step: Adam moves the parameters by the gradients. */
#ifndef UPDATE_H
#define UPDATE_H

#include "step/norms.h"
#include "step/weight_gradients.h"

/* Move the weights of a pass's latents, by gradients that are made on the way.  Each parameter is
 * read and written once.
 *   sources   of the same training
 *   norms     blocks out  squares of the moved decoder rows
 * Local. */
void update_weights(struct training *training, const struct weight_sources *sources,
                    struct norms *norms);

/* After all passes: move everything else, and bring decoder rows back to norm 1.  Collective. */
void update_rest(struct training *training, const struct weight_sources *sources,
                 struct norms *norms);

#endif
