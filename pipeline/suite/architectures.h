/* architectures.h -- what the program must know of an architecture outside its training step.
 *
 * The rows are in architectures.def.  What an architecture computes is in step/architecture.h.
 */
#ifndef ARCHITECTURES_H
#define ARCHITECTURES_H

#include <stdbool.h>

/* The kinds of autoencoder by which other programs load what was trained.  It computes the same
 * in each of them (sae/sae.h). */
enum sae_form { FORM_JUMPRELU, FORM_GATED, FORM_TOPK, FORM_RELU };

/* ARCHITECTURE_JUMPRELU, ... */
enum architecture_id {
#define ARCHITECTURE(id, name, meaning, ...) ARCHITECTURE_##id,
#include "suite/architectures.def"
    ARCHITECTURES_COUNT
};

struct architecture_traits {
    const char   *name;             /* in suite files, file names and reports */
    enum sae_form form;             /* as which it is exported */
    bool          keeps_k;          /* target_l0 is the number k of latents kept; else its penalty
                                       has a coefficient, given by sparsities */
    bool          takes_target;     /* the penalty may have a target, target_l0, instead */
    bool          transcoders;      /* other programs load transcoders of it */
    bool          trains_threshold; /* every latent has one; it starts at train.threshold and
                                       learns within train.bandwidth */
    bool          prefixes;         /* train.prefixes of the latents reconstruct for themselves */
    bool          auxk;             /* revives dead latents with train.auxk */
};

/* [ARCHITECTURES_COUNT], by enum architecture_id. */
extern const struct architecture_traits ARCHITECTURES[];

/* For keys.def: all names, with one space between, and "NAME: MEANING." of each. */
extern const char ARCHITECTURES_WORDS[], ARCHITECTURES_MEANING[];

/* By its name.  False if there is none.  Local. */
bool architectures_find(enum architecture_id *id, const char *name);

#endif
