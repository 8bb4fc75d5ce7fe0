/* recipe.h -- the constants of a training run, and what becomes of them step by step.
 *
 * The schedules are Gemma Scope's (arXiv:2408.05147, section 3.2), with a linear decay of the
 * learning rate as an option.  Which constants count depends on the architecture.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include "base/split.h"
#include "kernels/adam.h"
#include "kernels/precision.h"
#include "suite/tasks.h"

#include <stdbool.h>

enum { PREFIXES_MOST = 8 };

/* What a target for L0 adds to the loss, `strength` before all: */
enum target_form {
    TARGET_RATIO,       /* (mean L0 / target - 1)^2 */
    TARGET_QUADRATIC,   /* mean over the rows of (L0 - target)^2 / (2 target): at twice the
                           target it pulls as strength * L0 would */
};

struct architecture;

struct recipe {
    const struct architecture *architecture;
    bool    transcoder;         /* reconstructs another row than it sees */
    bool    skip;               /* and adds a matrix times the row it sees */
    int64_t batch;              /* rows of a step */
    int64_t steps;              /* of the whole training */
    double  learning_rate;
    int64_t warmup;             /* steps until the full learning rate */
    double  decay;              /* last share of the steps, over which it falls to 0 */
    double  sparsity;           /* coefficient of the penalty; or, if target_l0 > 0, ... */
    double  target_l0;          /* ... the mean L0 to be reached; k of TopK and its kin */
    enum target_form target_form;
    double  target_strength;
    int64_t sparsity_warmup;    /* steps until the full coefficient */
    double  frequency_strength; /* coefficient of the sum over latents of f^2 / frequency, with f */
    double  frequency;          /* the share of the rows on which a latent is active */
    double  bandwidth;          /* of the threshold's straight-through estimator */
    double  threshold;          /* initial threshold of every latent */
    bool    log_threshold;      /* train the thresholds' logarithms */
    double  beta1, beta2, epsilon;
    double  clip;               /* most norm of all gradients together; 0: any */
    double  auxk;               /* coefficient of what dead latents make of the rest (AuxK) */
    int64_t auxk_latents;       /* how many of them, at most */
    int     prefixes;           /* of a Matryoshka; 0: none */
    double  prefix[PREFIXES_MOST];  /* their shares of the latents, ascending, the last 1 */
    int64_t dead_after;         /* rows without activation after which a latent is dead */
    int64_t seed;               /* of the initial decoder */
    enum precision precision;   /* of products with the weights; the weights are float32 */
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

/* The latents of group `group` of a Matryoshka: those of its prefix that the one before has
 * not.  Without prefixes group 0 has all. */
struct range recipe_group(const struct recipe *recipe, int32_t latents, int group);

#endif
