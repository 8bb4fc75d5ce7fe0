/* latent_heads.h -- which attention heads a latent is made of, by its weights alone.
 *
 * An autoencoder of the site attn reads and writes the outputs of a layer's heads side by side, so
 * each row of its decoder has a slice for each head.  The share of head k in latent i is
 *
 *   share(i, k) = |slice k of W_dec[i]| / sum over heads j of |slice j of W_dec[i]|
 *
 * (Kissane et al., arXiv:2406.17759, eq. 2).  They call a head polysemantic if a reader finds
 * unrelated roles among the ten latents in which its share is largest.  Without a reader,
 * latent_heads_directions() counts the directions in which the head writes for these ten.
 * Everything here is Local, and sums in double.
 */
#ifndef LATENT_HEADS_H
#define LATENT_HEADS_H

#include "sae/sae.h"

/* The shares of all heads in one latent; 0 if its row is 0.
 *   share [heads]  out
 * `heads` divides the outputs of `sae`. */
void latent_heads_share(double *share, const struct sae *sae, int32_t latent, int32_t heads);

/* The same in all latents.
 *   share [latents, heads]  out */
void latent_heads_shares(double *share, const struct sae *sae, int32_t heads);

/* The latents in which the share of a head is largest, largest first, of equal ones the lower
 * number first.  Returns how many: `most`, or all.
 *   latent [most]           out
 *   share  [latents, heads] in */
int32_t latent_heads_strongest(int32_t *latent, int32_t most, const double *share, int32_t latents,
                               int32_t heads, int32_t head);

/* The number of directions among the head's slices of some latents: n^2 / sum over all pairs of
 * cosine^2, n being the number of slices that are not 0.  It is 1 if all lie on one line, n if all
 * are orthogonal, and 0 if there are none.
 *   latent [count]  in */
double latent_heads_directions(const struct sae *sae, int32_t heads, int32_t head,
                               const int32_t *latent, int32_t count);

#endif
