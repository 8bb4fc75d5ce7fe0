/* steering_files.h -- the files of steering: effects of a portion of vectors, what the targets'
 * vectors do, and completions for a judge.
 *
 * INTERVENTIONS.md defines them.  Local, for rank 0 but for those that read.
 */
#ifndef STEERING_FILES_H
#define STEERING_FILES_H

#include "base/split.h"
#include "intervene/steering_job.h"
#include "intervene/steering_ways.h"

#include <jansson.h>

/* --- portions ------------------------------------------------------------------------ */

/* Portions of the suite's vectors, and the vectors of one: the decoder rows of these numbers. */
int64_t      steering_files_portions(const struct suite *suite);
struct range steering_files_portion(const struct suite *suite, int64_t portion);

/* Write RUN/intervene/steering-PORTION.h5 and .json.
 *   vectors [vectors of the portion]  in
 * E_IO, E_SPACE. */
enum status steering_files_write_portion(const struct steering_job *job, int64_t portion,
                                         const struct steered_vector *vectors);

/* Read the effects of a portion, or the scales of its vectors.
 *   effects [vectors of the portion, latents]  out
 *   scales [vectors of the portion]            out
 * E_IO, E_FORMAT, E_USAGE: it is another file. */
enum status steering_files_read_effects(const struct steering_job *job, int64_t portion,
                                        float *effects);
enum status steering_files_read_scales(const struct steering_job *job, int64_t portion,
                                       double *scales);

/* --- targets ------------------------------------------------------------------------- */

/* The vector of a latent, found in one way. */
struct steering_target {
    int32_t latent;             /* of the autoencoder that is read */
    enum steering_way way;
    struct steered_vector measured;
};

/* How good the approximator is on vectors that it has not seen. */
struct steering_quality {
    double error;               /* norm of what it misses, of the norm of the effects */
    double r2;                  /* 1 less the squared error, of that of the mean effect */
    int64_t vectors;
};

struct steering_results {
    const struct steering_target *targets;
    int64_t count;
    struct steering_quality quality;
    const double *scales;       /* [the suite's vectors] */
};

/* Write RUN/intervene/steering-targets.html, and .json.  E_IO, E_SPACE. */
enum status steering_files_write_targets(const struct steering_job *job,
                                         const struct steering_results *results);

#endif
