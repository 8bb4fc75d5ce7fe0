/* steering_targets.h -- the last task of steering: from the effects of all vectors to a linear map,
 * to vectors of the targets, and to what these do. */
#ifndef STEERING_TARGETS_H
#define STEERING_TARGETS_H

#include "intervene/steering_job.h"

/* Bytes of a rank with `threads` threads besides those of the job; latents are those of the
 * autoencoder that is read.  Local. */
int64_t steering_targets_bytes(const struct suite *suite, const struct lm_config *config,
                               int32_t latents, int threads);

/* Do it; the files of all portions are there.  Collective.  E_IO, E_SPACE, E_FORMAT; E_USAGE if a
 * latent has no vector, or no vector costs enough; E_STOPPED. */
enum status steering_targets_run(struct steering_job *job);

#endif
