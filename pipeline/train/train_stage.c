/* What is known of train before it runs.  A task is a stream. */
#include "base/file.h"
#include "base/minmax.h"
#include "base/split.h"
#include "harvest/harvest_stage.h"
#include "lm/config.h"
#include "sae/sae.h"
#include "shard/h5.h"
#include "suite/paths.h"
#include "train/resume.h"
#include "train/trainings.h"

#include <math.h>

/* Minimum tiles of latents per rank, for load balance. */
enum { TILES_OF_A_RANK = 4 };

/* On disk, of a step in a training's log (steplog.c; 108 in the demo, whose numbers are short); and
 * of a byte of parameters (0.931 in the demo: float32 shrinks little). */
static const double LOG_LINE_BYTES = 130, PARAMETERS_KEPT = 0.93;

/* --- memory and ranks ---------------------------------------------------------------- */

static struct stage_memory bytes(const struct stage_host *host)
{
    struct stage_memory need = {0};
    int32_t width[SITES];

    for (int s = 0; s < SITES; s++)
        width[s] = lm_site_width(host->model, (enum site)s);
    for (int t = 0; t < host->tasks->taps_count; t++) {
        struct trainings trainings;
        trainings_make(&trainings, host->suite, &host->tasks->train[t], width);
        if (trainings.count > 0)
            need.rank = max_int64(need.rank, trainings_bytes(&trainings, host->nodes * host->ranks,
                                                             host->threads));
        trainings_free(&trainings);
    }
    return need;
}

/* The least width of the suite's autoencoders. */
static int32_t least_width(const struct suite *suite)
{
    int64_t width = suite->saes[0].widths[0];

    for (unsigned g = 0; g < suite->saes_count; g++)
        for (unsigned w = 0; w < suite->saes[g].widths_count; w++)
            width = min_int64(width, suite->saes[g].widths[w]);
    return (int32_t)width;
}

/* As long as each has a few tiles of latents: on two cores faster than threads by a third. */
static int ranks(const struct stage_host *host)
{
    const int tiles = least_width(host->suite) / TILES_OF_A_RANK / LATENT_TILE / host->nodes;

    if (host->cores < tiles)
        return host->cores;
    return tiles > 0 ? tiles : 1;
}

/* --- time and disk ------------------------------------------------------------------- */

static double given_rate(const struct suite *suite)
{
    return suite->rates.train;
}

/* Add the autoencoders of a stream.  Returns their work. */
static double add_stream(struct stage_cost *cost, const struct stage_host *host,
                         const struct stage_amounts *amounts, const struct tap_task *task)
{
    const int64_t batch = host->suite->train.batch;
    const int32_t inputs = lm_site_width(host->model, task->tap.site);
    const double arrays = host->suite->train.beta1 > 0 ? 3 : 2;     /* with the moments */
    double most = 0, work = 0, parameters = 0, largest = 0;

    for (int s = 0; s < task->count; s++) {
        const struct sae_task *sae = &task->saes[s];
        const double steps = (double)(sae->tokens / batch), rows = steps * (double)batch;
        const double its = (double)sae_parameters(
            inputs, lm_site_width(host->model, sae->target.site), sae->width, sae->skip);
        work += 2 * rows * inputs * sae->width;
        parameters += its;
        largest = fmax(largest, its);
        most = fmax(most, rows);
        cost->left += LOG_LINE_BYTES * steps;
    }
    /* Checkpoints of each, and one that is being written. */
    const double checkpoints = 4 * arrays * (CHECKPOINTS * parameters + largest);
    cost->passing.all += checkpoints;
    cost->passing.task = fmax(cost->passing.task, checkpoints);
    cost->read += most / amounts->rows * harvest_stream_bytes(host, amounts, task->tap);
    cost->left += PARAMETERS_KEPT * 4 * parameters;
    cost->files += 2 * task->count;
    cost->tasks += task->count > 0;
    return work;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    struct stage_cost cost = {0};
    double longest = 0;

    for (int t = 0; t < host->tasks->taps_count; t++) {
        const double work = add_stream(&cost, host, amounts, &host->tasks->train[t]);
        cost.work += work;
        longest = fmax(longest, work);
    }
    cost.longest = cost.work > 0 ? longest / cost.work : 1;
    cost.written = cost.left;
    return cost;
}

/* --- tasks --------------------------------------------------------------------------- */

static enum status count_tasks(const struct suite *suite, const struct tasks *tasks, bool ready,
                               int64_t *count)
{
    (void)suite, (void)ready;
    *count = tasks->taps_count;
    return OK;
}

static bool path_made(char path[PATH_LENGTH], const struct suite *suite, const struct tasks *tasks,
                      int64_t task, int i)
{
    const struct tap_task *stream = &tasks->train[task];

    if (i < stream->count)
        paths_sae(path, suite, stream->tap, stream->saes[i].name, ".h5");
    return i < stream->count;
}

/* A run that is killed after it has published an autoencoder leaves its checkpoints, which the next
 * run of the stage removes. */
static bool lingers(const struct suite *suite, const struct tasks *tasks, int64_t task, int i)
{
    const struct tap_task *stream = &tasks->train[task];
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    bool there = false;

    paths_sae(stem, suite, stream->tap, stream->saes[i].name, "");
    for (int age = 0; age < CHECKPOINTS; age++) {
        resume_path(path, stem, age);
        there = there || file_exists(path);
    }
    return there;
}

/* Steps of one autoencoder that need not be done again: those of its newest checkpoint, or, if
 * that cannot be read, of the one before. */
static int64_t steps_of(const struct suite *suite, struct tap tap, const struct sae_task *sae)
{
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    int64_t step = 0;

    paths_sae(path, suite, tap, sae->name, ".h5");
    if (file_exists(path))
        return split_blocks(sae->tokens, suite->train.batch) + 1;
    paths_sae(stem, suite, tap, sae->name, "");
    for (int age = 0; age < CHECKPOINTS && step == 0; age++) {
        hid_t file = -1;
        resume_path(path, stem, age);
        if (file_exists(path) && h5_open(&file, path) == OK
            && h5_read_int(file, path, "step", &step) != OK)
            step = 0;
        h5_close(&file, path, OK);
        refuse_clear();
    }
    return step;
}

static int64_t progress(const struct suite *suite, const struct tasks *tasks, int64_t task)
{
    const struct tap_task *stream = &tasks->train[task];
    int64_t steps = 0;

    for (int s = 0; s < stream->count; s++)
        steps += steps_of(suite, stream->tap, &stream->saes[s]);
    return steps;
}

/* A transcoder is trained on two streams. */
static bool crosses_streams(const struct suite *suite)
{
    for (unsigned g = 0; g < suite->saes_count; g++)
        if (suite->saes[g].target != TARGET_INPUT)
            return true;
    return false;
}

const struct stage_traits TRAIN_STAGE = {
    .about = "autoencoders, and a log of each training", .several_nodes = true,
    .rate = 35e9, .rate_unit = 1e9, .rate_name = "GFLOP/s",
    .less_memory = ", or more resources.nodes", .less_time = "", .given = given_rate,
    .ranks = ranks, .bytes = bytes, .cost = cost, .count = count_tasks, .path = path_made,
    .lingers = lingers, .progress = progress, .crosses_streams = crosses_streams,
};
