#include "evaluate/evaluate_stage.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "base/split.h"
#include "sae/shared_saes.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>

/* --- who is spliced in where --------------------------------------------------------- */

struct placed evaluate_placed(const struct tap_task *task, enum site site)
{
    struct placed placed = {
        .place = { .read = task->tap, .replaced = { site, task->tap.layer } },
        .saes = allocate(task->count, sizeof *placed.saes),
    };

    for (int i = 0; i < task->count; i++)
        if (task->saes[i].target.site == site)
            placed.saes[placed.count++] = &task->saes[i];
    return placed;
}

void evaluate_placed_free(struct placed *placed)
{
    free(placed->saes);
    *placed = (struct placed){0};
}

struct placed evaluate_rest(const struct placed *placed, int count)
{
    return (struct placed){ placed->place, placed->saes + count, placed->count - count };
}

/* --- memory -------------------------------------------------------------------------- */

static int64_t parameters_bytes(const struct lm_config *model, struct tap read,
                                const struct sae_task *sae)
{
    return (int64_t)sizeof(float) * sae_parameters(lm_site_width(model, read.site),
                                                   lm_site_width(model, sae->target.site),
                                                   sae->width, sae->skip);
}

/* What the first `count` need together.  The first rank of a node reads an autoencoder into memory
 * of its own, before the ranks make their buffers. */
static struct stage_memory group_bytes(const struct stage_host *host, const struct placed *placed,
                                       int count)
{
    const enum precision precision = host->suite->model.precision;
    struct splice_capacity capacity = {
        .sequences = host->suite->harvest.block, .context = host->suite->corpus.context,
        .saes = count, .transcoders = placed->place.read.site != placed->place.replaced.site,
    };
    struct stage_memory need = { .node = host->weights };
    int64_t largest = 0;

    for (int i = 0; i < count; i++) {
        const struct sae_task *sae = placed->saes[i];
        const int64_t bytes = parameters_bytes(host->model, placed->place.read, sae);
        need.node += bytes;
        need.rank += sae->width * (int64_t)sizeof(int64_t);     /* how often each latent fired */
        largest = max_int64(largest, bytes);
        capacity.latents = (int32_t)max_int64(capacity.latents, sae->width);
    }
    need.rank += splice_bytes(host->model, precision, &capacity, host->threads);
    need.node += max_int64(0, largest - host->ranks * need.rank);
    return need;
}

/* Memory that processes share is a file in memory, and Linux lets such files have half of a node's
 * memory unless told otherwise. */
static bool fits(const struct stage_host *host, const struct placed *placed, int count)
{
    const struct stage_memory need = group_bytes(host, placed, count);

    return stage_node_bytes(host, need) <= host->memory && need.node <= host->memory / 2;
}

int evaluate_group(const struct stage_host *host, const struct placed *placed)
{
    int count = 1;

    while (count < placed->count && fits(host, placed, count + 1))
        count++;
    return count;
}

struct stage_memory evaluate_placed_bytes(const struct stage_host *host,
                                          const struct placed *placed)
{
    struct stage_memory need = {
        .rank = weights_reading_bytes(host->model, host->threads), .node = host->weights,
    };

    for (struct placed rest = *placed; rest.count > 0; ) {
        const int count = evaluate_group(host, &rest);
        need = stage_larger(host, need, group_bytes(host, &rest, count));
        rest = evaluate_rest(&rest, count);
    }
    return need;
}

struct stage_memory evaluate_bytes(const struct stage_host *host)
{
    struct stage_memory need = {0};

    for (int t = 0; t < host->tasks->taps_count; t++)
        for (int site = 0; site < SITES; site++) {
            struct placed placed = evaluate_placed(&host->tasks->train[t], (enum site)site);
            need = stage_larger(host, need, evaluate_placed_bytes(host, &placed));
            evaluate_placed_free(&placed);
        }
    return need;
}

/* --- flops --------------------------------------------------------------------------- */

/* Up to the place once for each group, and from there on as the model is, with zeros, with means
 * and with each autoencoder. */
static double placed_work(const struct stage_host *host, const struct placed *placed)
{
    const struct lm_config *model = host->model;
    const int64_t context = host->suite->corpus.context;
    const struct tap end = { .site = SITE_RES, .layer = model->layers - 1 };
    const double to_place = forward_work(model, placed->place.replaced, context);
    const double after_place = forward_work(model, end, context)
                               + (double)context * head_work(model) - to_place;
    const double values = (double)lm_site_width(model, placed->place.read.site)
                          + lm_site_width(model, placed->place.replaced.site);
    double work = 0;

    for (struct placed rest = *placed; rest.count > 0; ) {
        const int count = evaluate_group(host, &rest);
        work += to_place + RUN_SAES * after_place;
        for (int i = 0; i < count; i++)
            work += after_place + 2 * (double)context * values * rest.saes[i]->width;
        rest = evaluate_rest(&rest, count);
    }
    return work;
}

/* Flops of one sequence in all groups of a task, and to the place to which the model goes furthest,
 * for its means. */
static double task_work(const struct stage_host *host, const struct tap_task *task, double *means)
{
    double work = 0;

    for (int site = 0; site < SITES; site++) {
        struct placed placed = evaluate_placed(task, (enum site)site);
        work += placed_work(host, &placed);
        if (placed.count > 0)
            *means = fmax(*means, forward_work(host->model, placed.place.replaced,
                                               host->suite->corpus.context));
        evaluate_placed_free(&placed);
    }
    return work;
}

/* --- time and disk ------------------------------------------------------------------- */

static double given_rate(const struct suite *suite)
{
    return suite->rates.evaluate;
}

static struct stage_cost cost(const struct stage_host *host, const struct stage_amounts *amounts)
{
    const struct suite *suite = host->suite;
    struct stage_cost cost = {
        .pieces = split_blocks((int64_t)amounts->held_out,
                               suite->harvest.block * suite->corpus.context),
    };
    double work = 0, means = 0;

    for (int t = 0; t < host->tasks->taps_count; t++) {
        const struct tap_task *task = &host->tasks->train[t];
        work += task_work(host, task, &means);
        for (int s = 0; s < task->count; s++)
            cost.read += (double)parameters_bytes(host->model, task->tap, &task->saes[s]);
        cost.files += task->count;
        cost.tasks += task->count > 0;
    }
    cost.work = amounts->held_out / (double)suite->corpus.context * (work + means);
    cost.longest = cost.tasks > 0 ? 1 / (double)cost.tasks : 1;
    cost.written = cost.left = EVALUATE_SCORES_BYTES * cost.files;
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
        paths_scores(path, suite, stream->tap, stream->saes[i].name);
    return i < stream->count;
}

static int64_t progress(const struct suite *suite, const struct tasks *tasks, int64_t task)
{
    char path[PATH_LENGTH];
    int64_t scores = 0;

    for (int i = 0; path_made(path, suite, tasks, task, i); i++)
        scores += file_exists(path);
    return scores;
}

const struct stage_traits EVALUATE_STAGE = {
    .about = "scores of each, spliced into the model on held-out text",
    .rate = 60e9, .rate_unit = 1e9, .rate_name = "GFLOP/s", .less_memory = "", .less_time = "",
    .given = given_rate, .bytes = evaluate_bytes, .cost = cost, .count = count_tasks,
    .path = path_made, .progress = progress,
};
