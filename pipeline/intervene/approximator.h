/* approximator.h -- how vectors that are added to a site change latents: a linear map.
 *
 * After Chalnev, Siu, Conmy, arXiv:2411.02193, section 3: with x a vector of norm 1 and y its
 * effects on latents,
 *
 *   y = x M + b
 *
 * Adam (kernels/adam.h) lowers the mean squared error over vectors and latents, in batches, with a
 * learning rate that falls along a cosine from epoch to epoch.  M and b are 0 at first, so a latent
 * on which no vector has an effect has 0 in M and b.
 *
 * Latents do not depend on each other.  So M is divided into blocks of APPROXIMATOR_LATENTS
 * latents, which ranks fit by themselves, with the same bits on any number of them.  All here is
 * Local.
 */
#ifndef APPROXIMATOR_H
#define APPROXIMATOR_H

#include <stdint.h>

enum { APPROXIMATOR_LATENTS = 1024 };

struct approximator {
    int32_t width, latents;
    float  *matrix;             /* [width, latents] M */
    float  *bias;               /* [latents] b */
};

/* How it is fitted. */
struct approximator_recipe {
    int64_t  epochs, batch;     /* batch: vectors */
    double   rate;              /* of the first epoch */
    uint64_t seed;              /* of the order of vectors in each epoch */
};

/* Make one, all 0.  approximator_free() accepts an empty one. */
void approximator_make(struct approximator *approximator, int32_t width, int32_t latents);
void approximator_free(struct approximator *approximator);

/* Bytes that approximator_make() allocates, and approximator_fit() for a while. */
int64_t approximator_bytes(int32_t width, int32_t latents);
int64_t approximator_fit_bytes(int32_t width, int64_t batch);

/* Fit a block: latents block * APPROXIMATOR_LATENTS and the next ones.
 *   x  [vectors, width]                  in: of norm 1
 *   y  [vectors, latents of the block]   in */
void approximator_fit(struct approximator *approximator, int64_t block,
                      const struct approximator_recipe *recipe, const float *x, const float *y,
                      int64_t vectors);

/* What it predicts for a block of latents.
 *   y  [vectors, latents of the block]   out
 *   x  [vectors, width]                  in: of norm 1 */
void approximator_predict(const struct approximator *approximator, int64_t block, float *y,
                          const float *x, int64_t vectors);

#endif
