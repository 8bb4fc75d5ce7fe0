/* gradients.h -- the gradients of a pass's latents: what backpropagate() gives.
 *
 * Those of the weights exist only a few latents at a time: they are sums over the entries of a
 * latent, made when they are used (weight_gradients.h).  Here are their coefficients, and the
 * gradients of everything else.
 */
#ifndef GRADIENTS_H
#define GRADIENTS_H

#include "step/lists.h"

struct gradients {
    struct pass  pass;          /* the latents they are of; number -1: none are there yet */
    float       *dots;          /* [entries by row] residual . decoder row */
    struct codes latents;       /* entries by latent; values are coefficients of the decoder's */
    float       *gradient;      /* [entries by latent] dLoss / d product; of the encoder's */
    double      *along;         /* [latents] how much of a decoder row its gradient loses */

    /* Of all passes so far: */
    double      *input_sum;             /* [own latents] sums of `gradient` */
    float       *vector[VECTORS];       /* [own latents] gradients of the architecture's vectors */
    int32_t     *in_window;             /* [own latents] JumpReLU: entries that move a threshold */
    float       *tile_sums;             /* [own tiles, inputs] encoder rows times input_sum */

    double      *encoder_sums;          /* [inputs] sums of tile_sums over all tiles */
    float       *decoder_bias;          /* [outputs] its gradient */
    double       factor;                /* that all gradients are scaled by (clip.h) */
};

void gradients_storage(struct gradients *gradients, const struct step_sizes *sizes,
                       struct storage *storage);

#endif
