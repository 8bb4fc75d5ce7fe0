/* recipe.h -- the constants of a training run, and what becomes of them step by step.
 *
 * The schedules are Gemma Scope's (arXiv:2408.05147, section 3.2), with a linear decay of the
 * learning rate as an option.  Which constants count depends on the architecture.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include "base/split.h"
#include "kernels/adam.h"
#include "suite/architectures.h"
#include "suite/tasks.h"

#include <stdbool.h>

/* What the suite file says of one autoencoder, and what follows from it.  Lists belong to the
 * suite, which must stay. */
struct recipe {
    enum architecture_id architecture;
    struct suite_train train;   /* the section train */
    struct suite_saes  saes;    /* its group; what that lists, the group's autoencoders share out:
                                   this one has ... */
    double  sparsity;           /* ... a coefficient of the penalty; or, if target_l0 > 0, ... */
    double  target_l0;          /* ... a mean L0 to be reached, or the k of TopK and its kin */
    bool    transcoder;         /* reconstructs another row than it sees */
    bool    skip;               /* and adds a matrix times the row it sees */
    int64_t steps;              /* of the whole training */
    int     prefixes;           /* of train.prefixes, if the architecture has them; else 0 */
};

/* What a suite asks for one autoencoder.  Local. */
void recipe_make(struct recipe *recipe, const struct suite *suite, const struct sae_task *task);

/* What the suite file says of a training, but for its rows and its shape, "NAME: VALUE" a line:
 * two recipes from suite files are the same if their texts are.  Caller frees. */
char *recipe_text(const struct recipe *recipe);

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
