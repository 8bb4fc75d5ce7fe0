#include "intervene/steering_job.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "intervene/steering_ways.h"

#include <stdlib.h>

/* --- memory -------------------------------------------------------------------------- */

int64_t steering_job_bytes(const struct suite *suite, const struct lm_config *config, int threads)
{
    const struct suite_intervene *i = &suite->intervene;
    const int32_t latents = steering_saes_latents(suite, config).read;
    const struct steering_prompts_size size = steering_texts_prompts(suite);
    int64_t bytes = steering_texts_bytes(suite) + steering_measure_bytes(latents)
                  + steered_runs_bytes(config, latents, i->block, i->context, threads)
                  + steered_runs_kept_bytes(config, i->texts, i->block, i->context);

    if (size.prompts > 0)
        bytes += steered_writing_bytes(config, latents, i->block, size.prompts, i->samples,
                                       size.longest, i->tokens, threads);
    return bytes;
}

/* --- the job ------------------------------------------------------------------------- */

static struct steered_runs_setup setup_of(const struct steering_job *job,
                                          const struct prompts *texts)
{
    return (struct steered_runs_setup){
        .weights = job->intervention->weights, .texts = texts, .sae = &job->read->sae,
        .tap = job->from->tap, .read = job->read->tap, .bos = job->texts.bos,
        .block = job->intervention->suite->intervene.block,
    };
}

static void make_writing(struct steering_job *job)
{
    const struct suite_intervene *i = &job->intervention->suite->intervene;
    const struct steered_writing_setup setup = {
        .runs = setup_of(job, &job->texts.prompts),
        .sampling = { .temperature = 1, .top_k = i->top_k, .top_p = i->top_p,
                      .seed = (uint64_t)i->seed },
        .samples = i->samples, .tokens = i->tokens, .end = job->intervention->config->eos,
    };

    steered_writing_make(&job->writing, &setup);
}

/* Measure the model as it is.  Local. */
static enum status measure(struct steering_job *job)
{
    const struct suite_intervene *i = &job->intervention->suite->intervene;
    double *mean = allocate(job->intervention->config->width, sizeof *mean);
    enum status st;

    TRY(steered_runs_keep(&job->runs));
    TRY(steered_runs_rows(&job->runs, mean, &job->norm));
    job->measure = (struct steering_measure){
        .run = job->intervention->run, .source = i->effects, .texts = &job->runs,
        .writing = job->writing.list != NULL ? &job->writing : NULL,
        .search = { .cost = i->cost, .step = i->scale_step * job->norm,
                    .most = i->scale_most * job->norm },
    };
    TRY(steering_measure_make(&job->measure));
done:
    free(mean);
    return st;
}

enum status steering_job_make(struct steering_job *job, const struct intervention *intervention)
{
    const MPI_Comm comm = intervention->run->comm;
    struct steered_runs_setup setup;
    enum status st;

    *job = (struct steering_job){ .intervention = intervention };
    TRY_ALL(comm, steering_saes_find(&job->chosen, intervention->suite,
                                     intervention->config->layers));
    TRY(steering_texts_read(&job->texts, intervention->suite, intervention->config, comm));
    TRY(chosen_saes_read(&job->from, &job->from_memory, &job->chosen.from, comm));
    TRY(chosen_saes_read(&job->read, &job->read_memory, &job->chosen.read, comm));
    setup = setup_of(job, &job->texts.retain);
    steered_runs_make(&job->runs, &setup);
    if (job->texts.prompts.count > 0)
        make_writing(job);
    TRY_ALL(comm, measure(job));
    run_note(intervention->run, "loss %.4f nats, rows of mean norm %.4g", job->measure.search.loss,
             job->norm);
done:
    return st;
}

void steering_job_free(struct steering_job *job)
{
    steering_measure_free(&job->measure);
    steered_writing_free(&job->writing);
    steered_runs_free(&job->runs);
    steering_texts_free(&job->texts);
    free(job->from);
    free(job->read);
    shared_saes_free(&job->from_memory);
    shared_saes_free(&job->read_memory);
    steering_saes_free(&job->chosen);
}

enum status steering_job_vector(const struct steering_job *job, float *vector, int64_t latent)
{
    const int32_t width = job->from->sae.outputs;
    double *row = allocate(width, sizeof *row);
    enum status st = OK;

    for (int32_t k = 0; k < width; k++)
        row[k] = (double)job->from->sae.decoder[latent * width + k];
    REQUIRE(steering_ways_normalise(vector, row, width), E_USAGE, "latent %lld of %s has no "
            "decoder row; ask for fewer 'vectors'", (long long)latent,
            job->chosen.from.sae[0].name);
done:
    free(row);
    return st;
}
