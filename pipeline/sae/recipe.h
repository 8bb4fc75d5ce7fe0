/* recipe.h -- the constants of a training run, and what becomes of them step by step.
 *
 * The recipe is Gemma Scope's (arXiv:2408.05147, section 3.2), with a linear decay of the
 * learning rate and a target for the mean L0 as options.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include "kernels/adam.h"
#include "suite/tasks.h"

#include <stdbool.h>

struct recipe {
    int64_t batch;              /* rows of a step */
    int64_t steps;              /* of the whole training */
    double  learning_rate;
    int64_t warmup;             /* steps until the full learning rate */
    double  decay;              /* last share of the steps, over which it falls to 0 */
    double  sparsity;           /* coefficient of the mean L0; or, if target_l0 > 0, ... */
    double  target_l0;          /* ... the mean L0 to be reached, and */
    double  target_strength;    /* the coefficient of (L0 / target_l0 - 1)^2 */
    int64_t sparsity_warmup;    /* steps until the full coefficient */
    double  bandwidth;          /* of the threshold's straight-through estimator */
    double  threshold;          /* initial threshold of every latent */
    bool    log_threshold;      /* train the thresholds' logarithms */
    double  beta1, beta2, epsilon;
    int64_t dead_after;         /* rows without activation after which a latent is dead */
    int64_t seed;               /* of the initial decoder */
};

/* What a suite asks for one autoencoder.  Local. */
void recipe_make(struct recipe *recipe, const struct suite *suite, const struct sae_task *task);

/* The learning rate of step `step`, from 0: a tenth, rising to the full rate along a cosine
 * in `warmup` steps, falling to 0 along a line in the last `decay` share of the steps. */
double recipe_rate(const struct recipe *recipe, int64_t step);

/* The share of the full sparsity penalty at a step, 0 to 1. */
double recipe_sparsity_share(const struct recipe *recipe, int64_t step);

/* Adam's numbers of a step. */
struct adam recipe_adam(const struct recipe *recipe, int64_t step);

/* The penalty of a batch with this mean L0, and its derivative by the mean L0. */
double recipe_penalty(const struct recipe *recipe, int64_t step, double l0);
double recipe_penalty_slope(const struct recipe *recipe, int64_t step, double l0);

#endif
