/* latent_sources.h -- which heads and which source tokens make a latent of attention fire.
 *
 * Latent i of an autoencoder of the site attn has at token d the pre-activation
 *
 *   pi(d) = w . z(d) + b        w: its row of the encoder, b: its bias there
 *
 * where z(d) are the outputs of the layer's heads side by side, before W_O.  The slice of head k is
 * z_k(d) = sum over s of A_k(d,s) v_k(s), with attention A and values v.  So pi(d) - b is the sum
 * over heads and source tokens of
 *
 *   part(k, s) = A_k(d,s) w_k . v_k(s)
 *
 * (direct feature attribution, DFA: Kissane et al., arXiv:2406.17759, eq. 3, section 3.2).  A stays
 * as it is: this tells what a head moves, not why it looks there.
 *
 * Recursive DFA goes on to the residual stream x(s) that the layer reads.  The size of the norm
 * before attention stays as it is, too, so that v_k(s) = W_V,k norm(x(s)) + b_V,k is linear:
 *
 *   sum over k of part(k, s) = x(s) . gradient(s) + constant(s)
 *   gradient(s) = sum over k of A_k(d,s) reading_k / size(s)
 *   reading_k   = scale * W_V,k^T w_k, under LayerNorm less its mean
 *   constant(s) = sum over k of A_k(d,s) w_k . (W_V,k bias + b_V,k)    scale, bias: of the norm
 *
 * An autoencoder of that stream makes x(s) a sum of its latents' directions, its bias and an error:
 * each has its part of pi(d) by its dot product with the gradient.
 *
 * Everything here is Local, in float32 weights, and does not depend on the number of threads.
 */
#ifndef LATENT_SOURCES_H
#define LATENT_SOURCES_H

#include "lm/forward.h"
#include "sae/sae.h"

/* A latent that is taken apart.  Weights and autoencoder must outlive it. */
struct latent_sources_target {
    const struct weights *weights;
    const float *encoder;       /* [heads, head_width] w */
    float        bias;          /* b */
    float       *reading;       /* [heads, width] */
    double      *constant;      /* [heads] w_k . (W_V,k bias + b_V,k) */
};

/* Bytes that latent_sources_target_make() allocates, for a latent of `sae` at attn of this layer.
 * latent_sources_target_free() accepts an empty one. */
int64_t latent_sources_target_bytes(const struct lm_config *config);
void    latent_sources_target_make(struct latent_sources_target *target,
                                   const struct weights *weights, const struct sae *sae, int layer,
                                   int32_t latent);
void    latent_sources_target_free(struct latent_sources_target *target);

/* Its pre-activation in a row of head outputs, the bias included, and the part of each head.
 *   part [heads]              out; may be NULL
 *   z    [heads, head_width]  in */
double latent_sources_pre_activation(double *part, const struct latent_sources_target *target,
                                     const float *z);

/* Where the pre-activation at one token comes from. */
struct latent_sources {
    int64_t context;
    float  *attention;          /* [heads, context] A_k(d,s); 0 where head k does not look */
    double *part;               /* [heads, context] */
    double *gradient;           /* [context, width] */
    double *constant;           /* [context] */
};

/* Bytes that latent_sources_make() allocates.  latent_sources_free() accepts an empty one. */
int64_t latent_sources_bytes(const struct lm_config *config, int64_t context);
void    latent_sources_make(struct latent_sources *sources, const struct lm_config *config,
                            int64_t context);
void    latent_sources_free(struct latent_sources *sources);

/* Find attention and parts for token d, `token`, of a sequence of the block.  `forward` stands at
 * attn of the target's layer. */
void latent_sources_find(struct latent_sources *sources, const struct latent_sources_target *target,
                         const struct forward *forward, int64_t sequence, int64_t token);

/* Then gradient and constant, of the same. */
void latent_sources_go_below(struct latent_sources *sources,
                             const struct latent_sources_target *target,
                             const struct forward *forward, int64_t sequence);

/* Then the parts of the latents of the residual stream below.
 *   part  [context, latents]  out
 *   f     [context, latents]  in: the latents of `below` in the stream's rows, sae_encode() */
void latent_sources_below(double *part, const struct latent_sources *sources,
                          const struct sae *below, const float *f);

/* The part of any vector in the stream at source s: a row of errors, the bias of `below`.
 *   x [width]  in */
double latent_sources_of(const struct latent_sources *sources, int64_t source, const float *x,
                         int32_t width);

#endif
