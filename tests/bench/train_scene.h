/* train_scene.h -- a training with its data, ready to be stepped and timed.
 *
 * Rows are sparse sums of a planted dictionary, the autoencoder's first decoder, written as a
 * shard and read as train reads them.  Thresholds, or biases in their place, are set so that a
 * row has the wanted number of active latents.
 */
#ifndef TRAIN_SCENE_H
#define TRAIN_SCENE_H

#include "step/architecture.h"
#include "step/step.h"
#include "train/batch_reader.h"

struct trial {
    const char *name;
    enum architecture_id architecture;
    int32_t     inputs, latents;
    int64_t     batch;
    enum precision precision;
    double      l0;         /* 0: where training starts */
    double      dead;       /* share of the latents that are, for AuxK */
};

struct scene {
    const struct trial *trial;
    struct training     training;
    struct step_needs   needs;
    struct step         step;
    struct batch_reader reader;
};

static inline struct shape trial_shape(const struct trial *trial)
{
    return (struct shape){ trial->inputs, trial->inputs, trial->latents };
}

/* Rank 0 writes the rows into `folder`, unless those of this shape are there already.  Dies of what
 * fails.  Collective. */
void scene_make(struct scene *scene, MPI_Comm comm, const struct trial *trial,
                const char *folder);
void scene_free(struct scene *scene);

/* Batch t and a step on it.  Collective. */
void scene_step(struct scene *scene, int64_t t, struct step_report *report);

/* A first step, on one rank, whose latents and residuals of some rows and gradients of some
 * latents are compared with their definitions in double.  Dies if they differ. */
void scene_check(struct scene *scene);

#endif
