/* steering_ways.h -- vectors that raise one latent: several ways.
 *
 * After Chalnev, Siu, Conmy, arXiv:2411.02193, sections 3.3 and 4.  From an approximator
 * y = x M + b (approximator.h) with M_j its column of latent j, from the decoder rows d_i, and with
 * lambda the weight of what all vectors do in common, M b, a latent j has the vectors
 *
 *   STEERING_DECODER    d_j
 *   STEERING_TARGETED   M_j / |M_j| - lambda M b / |M b|
 *   STEERING_ROTATED    R d_j / |d_j| - lambda M b / |M b|; R is the rotation by which all
 *                       d_i / |d_i| come nearest to M_i / |M_i| (orthogonal Procrustes): U V^T,
 *                       where U S V^T is the sum over i of M_i d_i^T, both of norm 1.  It also
 *                       serves a latent that no measured vector changes
 *   STEERING_INVERSE    (t - b) M^+, of least squares: t is |M_j| + b_j for latent j, what
 *                       M_j / |M_j| does to it, and 0 for all others
 *
 * each then divided by its norm.  STEERING_CONTRAST is one more: the mean of rows of texts
 * less that of other texts (contrastive activation addition, arXiv:2312.06681); it knows no
 * latents, so it is not found here.  Numbers in, numbers out; everything here is Local.
 */
#ifndef STEERING_WAYS_H
#define STEERING_WAYS_H

#include "intervene/approximator.h"

#include <stdbool.h>

enum steering_way {
    STEERING_DECODER, STEERING_TARGETED, STEERING_ROTATED, STEERING_INVERSE, STEERING_CONTRAST,
    STEERING_WAYS
};

/* "decoder", "targeted", "rotated", "inverse", "contrast". */
const char *steering_ways_name(enum steering_way way);

struct steering_ways {
    const struct approximator *map;     /* not owned, as the decoder is not */
    const float *decoder;       /* [latents, width] */
    double  common;             /* lambda */
    double *shared;             /* [width] M b */
    double *rotation;           /* [width, width] R */
    double *axis, *stretch;     /* [width, width], [width] eigenvectors, a row each, and eigenvalues
                                   of M M^T */
};

/* Compute what all latents have in common.  steering_ways_free() accepts an empty one. */
void steering_ways_make(struct steering_ways *ways, const struct approximator *map,
                        const float *decoder, double common);
void steering_ways_free(struct steering_ways *ways);

/* Bytes that steering_ways_make() allocates, with those that it frees again. */
int64_t steering_ways_bytes(int32_t width, int32_t latents);

/* The vector of a latent.  Returns false if there is none: nothing is known to change the latent,
 * or what is subtracted leaves nothing.
 *   vector [width]  out: of norm 1 */
bool steering_ways_find(const struct steering_ways *ways, float *vector, enum steering_way way,
                        int32_t latent);

/* Divide by the norm.  Returns false if that is 0, or not finite. */
bool steering_ways_normalise(float *vector, const double *from, int32_t width);

#endif
