/* steering_job.h -- what all tasks of steering work on: two autoencoders, texts, and the model as
 * it is without a vector. */
#ifndef STEERING_JOB_H
#define STEERING_JOB_H

#include "intervene/interventions.h"
#include "intervene/steering_measure.h"
#include "intervene/steering_saes.h"
#include "intervene/steering_texts.h"

struct steering_job {
    const struct intervention *intervention;
    struct steering_saes   chosen;
    struct shared_saes     from_memory, read_memory;
    struct latent_site    *from, *read;     /* one each */
    struct steering_texts  texts;
    struct steered_runs    runs;
    struct steered_writing writing;         /* empty: there are no prompts */
    struct steering_measure measure;
    double                 norm;            /* mean norm of the stream's rows */
};

/* Bytes of a rank for it.  Local. */
int64_t steering_job_bytes(const struct suite *suite, const struct lm_config *config, int threads);

/* Read all, and measure the model without a vector.  steering_job_free() is due after a failure,
 * too.  Both are Collective.  As chosen_saes_read(), steering_texts_read() and
 * steering_measure_make(). */
enum status steering_job_make(struct steering_job *job, const struct intervention *intervention);
void        steering_job_free(struct steering_job *job);

/* Copy a decoder row of the first autoencoder, divided by its norm.  Local.  E_USAGE if that is
 * 0. */
enum status steering_job_vector(const struct steering_job *job, float *vector, int64_t latent);

#endif
