/* latent_nodes.h -- the rows of a site as sums of nodes: latents, and an error.
 *
 *   x = f W_dec + b_dec + e      f: the latents of x; e: the error, what they leave of x
 *
 * An intervention gives some nodes other values, and leaves all others the values that they have in
 * this row:
 *
 *   x' = x + (f' - f) W_dec + e' - e
 *
 * So the error stays unless it is changed, and a row of which no node changes keeps its bits.  It
 * is how a feature is ablated, patched or steered while the model runs: Marks et al.,
 * arXiv:2403.19647, section 2.  A transcoder has no nodes, as it does not read what it makes.
 * Everything here is Local, and the bits of a row depend on that row alone.
 */
#ifndef LATENT_NODES_H
#define LATENT_NODES_H

#include "sae/sae.h"

/* The errors of some rows.
 *   error [rows, inputs]   out
 *   f     [rows, latents]  in: sae_encode()
 *   x     [rows, inputs]   in */
void latent_nodes_error(const struct sae *sae, float *error, const float *f, const float *x,
                        int64_t rows);

/* Let latents have other values, and the error its own.  Only latents that change take time.
 *   x        [rows, inputs]   in and out
 *   to, from [rows, latents]  in: the values that they get, and those that they have in x */
void latent_nodes_change(const struct sae *sae, float *x, const float *to, const float *from,
                         int64_t rows);

#endif
