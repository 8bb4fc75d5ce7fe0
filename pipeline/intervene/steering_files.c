#include "intervene/steering_files.h"
#include "base/allocate.h"
#include "base/json_file.h"
#include "intervene/steering_page.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "saemill effects";

enum { VERSION = 1, BINS = 20 };

/* --- portions ------------------------------------------------------------------------ */

int64_t steering_files_portions(const struct suite *suite)
{
    return split_blocks(suite->intervene.vectors, suite->intervene.portion);
}

struct range steering_files_portion(const struct suite *suite, int64_t portion)
{
    return split_block(suite->intervene.vectors, suite->intervene.portion, portion);
}

static int64_t length_of(const struct steering_job *job, int64_t portion)
{
    return range_length(steering_files_portion(job->intervention->suite, portion));
}

static void name_portion(char name[METHODS_NAME], char path[PATH_LENGTH],
                         const struct steering_job *job, int64_t portion, const char *ending)
{
    interventions_name(name, job->intervention->suite, portion);
    paths_result(path, job->intervention->suite, name, ending);
}

/* Caller frees. */
static float *join(const struct steering_job *job, const struct steered_vector *vectors,
                   int64_t count)
{
    const int64_t latents = job->read->sae.latents;
    float *effects = allocate(count * latents, sizeof *effects);

    for (int64_t i = 0; i < count; i++)
        memcpy(effects + i * latents, vectors[i].effects, (size_t)latents * sizeof *effects);
    return effects;
}

static enum status write_effects(const struct steering_job *job, int64_t portion,
                                 const struct steered_vector *vectors)
{
    const int64_t count = length_of(job, portion);
    float *effects = join(job, vectors, count);
    char name[METHODS_NAME], path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    name_portion(name, path, job, portion, ".h5");
    const struct circuit task = interventions_task(job->intervention, name);
    TRY(task_files_create(&file, part, path, &task, FORMAT, VERSION));
    TRY(h5_write_array(file, part, "effects", H5T_NATIVE_FLOAT, effects, count,
                       job->read->sae.latents));
done:
    free(effects);
    return task_files_publish(&file, part, path, st);
}

static json_t *list_vectors(const struct steering_job *job, int64_t first, int64_t count,
                            const struct steered_vector *vectors)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < count; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "latent", json_integer(first + i));
        task_files_put(object, "scale", vectors[i].scale);
        task_files_put(object, "loss_added", vectors[i].loss - job->measure.search.loss);
        json_array_append_new(list, object);
    }
    return list;
}

/* What portions and targets say first.  Caller owns it. */
static json_t *begin(const struct steering_job *job, const char *name)
{
    const struct circuit task = interventions_task(job->intervention, name);
    const bool forced = job->measure.source == EFFECTS_TEACHER_FORCED;
    json_t *summary = task_files_summary(&task);

    json_object_set_new(summary, "autoencoder", json_string(job->chosen.from.sae[0].name));
    json_object_set_new(summary, "read", json_string(job->chosen.read.sae[0].name));
    json_object_set_new(summary, "effects", json_string(forced ? "teacher_forced"
                                                               : "generations"));
    task_files_put(summary, "cost", job->measure.search.cost);
    task_files_put(summary, "loss", job->measure.search.loss);
    task_files_put(summary, "norm", job->norm);
    return summary;
}

enum status steering_files_write_portion(const struct steering_job *job, int64_t portion,
                                         const struct steered_vector *vectors)
{
    const struct range own = steering_files_portion(job->intervention->suite, portion);
    char name[METHODS_NAME], path[PATH_LENGTH];
    json_t *summary;
    enum status st;

    TRY(write_effects(job, portion, vectors));
    name_portion(name, path, job, portion, ".json");
    summary = begin(job, name);
    json_object_set_new(summary, "vectors", list_vectors(job, own.first, range_length(own),
                                                         vectors));
    const struct circuit task = interventions_task(job->intervention, name);
    TRY(task_files_write(&task, name, summary));
done:
    return st;
}

enum status steering_files_read_effects(const struct steering_job *job, int64_t portion,
                                        float *effects)
{
    char name[METHODS_NAME], path[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    name_portion(name, path, job, portion, ".h5");
    const struct circuit task = interventions_task(job->intervention, name);
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(identity_check(file, path, &task.identity));
    TRY(h5_read_array(file, path, "effects", H5T_NATIVE_FLOAT, effects, length_of(job, portion),
                      job->read->sae.latents));
done:
    return h5_close(&file, path, st);
}

enum status steering_files_read_scales(const struct steering_job *job, int64_t portion,
                                       double *scales)
{
    const int64_t count = length_of(job, portion);
    char name[METHODS_NAME], path[PATH_LENGTH];
    json_t *summary = NULL;
    enum status st;

    name_portion(name, path, job, portion, ".json");
    TRY(json_file_read_checked(&summary, path));
    const json_t *list = json_object_get(summary, "vectors");
    REQUIRE((int64_t)json_array_size(list) == count, E_FORMAT, "%s is not whole; remove it, and "
            "the task is done again", path);
    for (int64_t i = 0; i < count; i++)
        scales[i] = task_files_number(json_array_get(list, (size_t)i), "scale", NULL);
done:
    json_decref(summary);
    return st;
}

/* --- targets ------------------------------------------------------------------------- */

/* The mean size of effects on other latents, and the latent of the largest effect of all. */
static void compare(json_t *object, const struct steering_target *target, int32_t latents)
{
    const float *effects = target->measured.effects;
    int32_t most = 0;
    double others = 0;

    for (int32_t i = 0; i < latents; i++) {
        others += i != target->latent ? fabs((double)effects[i]) : 0;
        if (fabsf(effects[i]) > fabsf(effects[most]))
            most = i;
    }
    task_files_put(object, "effect", (double)effects[target->latent]);
    task_files_put(object, "others", others / (double)(latents - 1));
    json_object_set_new(object, "largest", json_integer(most));
    task_files_put(object, "largest_effect", (double)effects[most]);
}

static json_t *way_object(const struct steering_job *job, const struct steering_target *target)
{
    const struct steered_vector *v = &target->measured;
    json_t *object = json_object();

    json_object_set_new(object, "way", json_string(steering_ways_name(target->way)));
    task_files_put(object, "scale", v->scale);
    task_files_put(object, "loss_added", v->loss - job->measure.search.loss);
    compare(object, target, job->read->sae.latents);
    return object;
}

/* Ways of one latent follow one another. */
static json_t *list_targets(const struct steering_job *job, const struct steering_results *r)
{
    json_t *list = json_array(), *ways = NULL;

    for (int64_t i = 0; i < r->count; i++) {
        if (i == 0 || r->targets[i].latent != r->targets[i - 1].latent) {
            json_t *object = json_object();
            json_object_set_new(object, "latent", json_integer(r->targets[i].latent));
            json_object_set_new(object, "ways", ways = json_array());
            json_array_append_new(list, object);
        }
        json_array_append_new(ways, way_object(job, &r->targets[i]));
    }
    return list;
}

/* A histogram of the scales in equal bins from the least to the largest. */
static json_t *scales_object(const double *scales, int64_t count)
{
    double least = INFINITY, most = 0, sum = 0;
    int64_t bins[BINS] = {0};
    json_t *object = json_object(), *list = json_array();

    for (int64_t i = 0; i < count; i++) {
        least = fmin(least, scales[i]);
        most = fmax(most, scales[i]);
        sum += scales[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const double at = most > least ? BINS * (scales[i] - least) / (most - least) : 0;
        bins[at < BINS ? (int)at : BINS - 1]++;
    }
    for (int b = 0; b < BINS; b++)
        json_array_append_new(list, json_integer(bins[b]));
    task_files_put(object, "least", least);
    task_files_put(object, "mean", sum / (double)count);
    task_files_put(object, "most", most);
    json_object_set_new(object, "bins", list);
    return object;
}

enum status steering_files_write_targets(const struct steering_job *job,
                                         const struct steering_results *r)
{
    const struct suite *suite = job->intervention->suite;
    char name[METHODS_NAME];
    json_t *approximator = json_object();

    interventions_name(name, suite, steering_files_portions(suite));
    json_t *summary = begin(job, name);
    json_object_set_new(approximator, "vectors", json_integer(suite->intervene.vectors
                                                              - r->quality.vectors));
    json_object_set_new(approximator, "held_out", json_integer(r->quality.vectors));
    task_files_put(approximator, "error", r->quality.error);
    task_files_put(approximator, "r2", r->quality.r2);
    json_object_set_new(summary, "approximator", approximator);
    json_object_set_new(summary, "scales", scales_object(r->scales, suite->intervene.vectors));
    json_object_set_new(summary, "targets", list_targets(job, r));
    const struct circuit task = interventions_task(job->intervention, name);
    enum status st = steering_page_write(&task, name, summary);
    if (st == OK)
        return task_files_write(&task, name, summary);
    json_decref(summary);
    return st;
}
