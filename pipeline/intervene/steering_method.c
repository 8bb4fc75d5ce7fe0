/* steering_method.c -- vectors that raise one latent and little else.
 *
 * After Chalnev, Siu, Conmy, arXiv:2411.02193.  Each portion of vectors, decoder rows of an
 * autoencoder, is a task: their scales and their effects on all latents.  The last task learns from
 * all of them how vectors change latents, and finds and measures vectors of the targets.  The run
 * that makes the last portion goes on with it.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "intervene/steering_files.h"
#include "intervene/steering_targets.h"
#include "suite/paths.h"

#include <stdlib.h>

/* --- tasks --------------------------------------------------------------------------- */

static int64_t tasks(const struct suite *suite)
{
    return steering_files_portions(suite) + 1;
}

static void part(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    if (task < steering_files_portions(suite))
        snprintf(part, METHODS_NAME, "%05lld", (long long)task);
    else
        snprintf(part, METHODS_NAME, "targets");
}

/* --- what cannot be done ------------------------------------------------------------- */

static enum status check_files(const struct suite *suite)
{
    const struct suite_intervene *i = &suite->intervene;
    enum status st;

    REQUIRE(i->retain_count > 0, E_USAGE, "%s: 'intervene.retain' is missing: files of JSON Lines, "
            "texts on which vectors cost something", suite->path);
    REQUIRE(i->effects != EFFECTS_GENERATIONS || i->prompts_count > 0, E_USAGE,
            "%s: 'intervene.prompts' is missing: files of JSON Lines, beginnings of the texts that "
            "the model writes for 'effects: generations'", suite->path);
    REQUIRE((i->positive_count > 0) == (i->negative_count > 0), E_USAGE, "%s: of 'positive' and "
            "'negative' only one is given; texts are contrasted with others, so give both or none",
            suite->path);
done:
    return st;
}

static enum status check_numbers(const struct suite *suite, const struct steering_saes *chosen)
{
    const struct suite_intervene *i = &suite->intervene;
    const struct chosen_sae *from = chosen->from.sae, *read = chosen->read.sae;
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(i->vectors <= from->task->width, E_USAGE, "%s: %s has %d latents, so there are no %lld "
            "vectors", suite_place(place, suite, "intervene", 0, "vectors"), from->name,
            (int)from->task->width, (long long)i->vectors);
    REQUIRE(i->held_out < i->vectors, E_USAGE, "%s: with %lld of %lld vectors held out, there are "
            "none to learn from", suite_place(place, suite, "intervene", 0, "held_out"),
            (long long)i->held_out, (long long)i->vectors);
    suite_place(place, suite, "intervene", 0, "targets");
    REQUIRE(i->targets_count > 0, E_USAGE, "%s: 'intervene.targets' is missing: latents of %s that "
            "are to be raised", place, read->name);
    for (unsigned t = 0; t < i->targets_count; t++)
        REQUIRE(i->targets[t] < read->task->width, E_USAGE,
                "%s: %s has no latent %lld; its latents "
                "are 0 to %d",
                place, read->name, (long long)i->targets[t], (int)read->task->width - 1);
done:
    return st;
}

static enum status check_saes(const struct suite *suite, const struct steering_saes *chosen)
{
    const struct chosen_sae *from = chosen->from.sae, *read = chosen->read.sae;
    char place[SUITE_PLACE];
    enum status st;

    suite_place(place, suite, "intervene", 0, "autoencoders");
    REQUIRE(chosen->from.count == 1, E_USAGE,
            "%s: vectors are rows of one autoencoder; keep one of "
            "these %d",
            place, chosen->from.count);
    REQUIRE(from->tap.site == SITE_RES && read->tap.site == SITE_RES, E_USAGE,
            "%s: vectors are "
            "added to the residual stream, and read there, but %s is of another site",
            place, from->tap.site == SITE_RES ? read->name : from->name);
    REQUIRE(from->tap.layer <= read->tap.layer, E_USAGE,
            "%s: what is added at %s has no effect "
            "further down, at %s",
            place, from->name, read->name);
    TRY(chosen_saes_check(&chosen->from, suite));
    TRY(chosen_saes_check(&chosen->read, &chosen->reading));
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config)
{
    struct steering_saes chosen;
    enum status st;

    TRY(steering_saes_find(&chosen, suite, config->layers));
    TRY(check_files(suite));
    TRY(check_saes(suite, &chosen));
    TRY(check_numbers(suite, &chosen));
done:
    steering_saes_free(&chosen);
    return st;
}

/* --- memory and time ----------------------------------------------------------------- */

/* The job, and after it the vectors of a portion or the last task. */
static int64_t bytes(const struct suite *suite, const struct lm_config *config, int threads)
{
    const int32_t latents = steering_saes_latents(suite, config).read;

    return steering_job_bytes(suite, config, threads)
         + 2 * suite->intervene.portion * (config->width + latents) * (int64_t)sizeof(float)
         + steering_targets_bytes(suite, config, latents, threads);
}

/* Passes over the texts, for a vector: steps to its scale, its loss there, its effects. */
static const double PASSES = 8;

static double work(const struct suite *suite, const struct lm_config *config)
{
    const struct suite_intervene *i = &suite->intervene;
    const struct tap end = { SITE_RES, config->layers - 1 };
    const struct steering_latents latents = steering_saes_latents(suite, config);
    const struct steering_prompts_size size = steering_texts_prompts(suite);
    const double vectors = (double)(i->vectors + i->targets_count * STEERING_WAYS);
    const double tokens = (double)(size.prompts * i->samples * (size.longest + i->tokens));
    const double token = forward_work(config, end, i->context) / (double)i->context;
    const double learning = 6.0 * (double)(i->epochs * i->vectors) * config->width * latents.read;
    double each = PASSES * (double)(i->texts * i->context) * token;

    if (i->effects == EFFECTS_GENERATIONS)
        each += 2 * tokens * token;
    return vectors * each + learning;
}

/* The effects of all vectors on all latents, as if nothing compressed them. */
static double disk(const struct suite *suite, const struct lm_config *config)
{
    return (double)suite->intervene.vectors * steering_saes_latents(suite, config).read
         * (double)sizeof(float);
}

/* A vector is one rank's. */
static int64_t pieces(const struct suite *suite)
{
    return min_int64(suite->intervene.portion, suite->intervene.vectors);
}

/* --- portions ------------------------------------------------------------------------ */

static enum status measure_portion(struct steering_job *job, int64_t portion,
                                   struct steered_vector *vectors, float *rows, float *effects)
{
    const struct range own = steering_files_portion(job->intervention->suite, portion);
    const MPI_Comm comm = job->intervention->run->comm;
    const int64_t width = job->from->sae.outputs, latents = job->read->sae.latents;
    enum status st = OK;

    for (int64_t v = own.first; v < own.end; v++) {
        struct steered_vector *vector = &vectors[v - own.first];
        vector->vector = rows + (v - own.first) * width;
        vector->effects = effects + (v - own.first) * latents;
        TRY_ALL(comm, steering_job_vector(job, vector->vector, v));
    }
    TRY(steering_measure_run(&job->measure, vectors, range_length(own)));
    TRY_ROOT(comm, steering_files_write_portion(job, portion, vectors));
    run_note(job->intervention->run, "vectors %lld to %lld are measured", (long long)own.first,
             (long long)own.end - 1);
done:
    return st;
}

static enum status run_portion(struct steering_job *job, int64_t portion)
{
    const int64_t count = range_length(steering_files_portion(job->intervention->suite, portion));
    struct steered_vector *vectors = allocate(count, sizeof *vectors);
    float *rows = allocate(count * job->from->sae.outputs, sizeof *rows);
    float *effects = allocate(count * job->read->sae.latents, sizeof *effects);
    const enum status st = measure_portion(job, portion, vectors, rows, effects);

    free(effects);
    free(rows);
    free(vectors);
    return st;
}

/* --- all ----------------------------------------------------------------------------- */

/* Has a task its file?  Collective. */
static bool is_done(const struct intervention *intervention, int64_t task)
{
    char name[METHODS_NAME], path[PATH_LENGTH];

    interventions_name(name, intervention->suite, task);
    paths_result(path, intervention->suite, name, ".json");
    return comm_file_exists(intervention->run->comm, path);
}

/* Do the last task if it is to be done now.  Collective. */
static enum status run_last(struct steering_job *job)
{
    const struct intervention *intervention = job->intervention;
    const int64_t portions = steering_files_portions(intervention->suite);
    int64_t done = 0;
    enum status st = OK;

    for (int64_t p = 0; p < portions; p++)
        done += is_done(intervention, p);
    if (done < portions)
        run_note(intervention->run, "the targets wait until all portions are there; %lld of %lld "
                 "are", (long long)done, (long long)portions);
    else if (!is_done(intervention, portions))
        TRY(steering_targets_run(job));
done:
    return st;
}

static enum status run(const struct intervention *intervention, const bool *wanted)
{
    struct steering_job job;
    enum status st;

    TRY(steering_job_make(&job, intervention));
    for (int64_t p = 0; p < steering_files_portions(intervention->suite); p++)
        if (wanted[p])
            TRY(run_portion(&job, p));
    TRY(run_last(&job));
done:
    steering_job_free(&job);
    return st;
}

const struct intervention_method STEERING_METHOD = {
    .name = "steering", .tasks = tasks, .part = part, .check = check, .bytes = bytes,
    .shared = steering_saes_shared, .work = work, .disk = disk, .pieces = pieces, .run = run,
};
