#include "evaluate/evaluate_need.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "evaluate/shared_saes.h"

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

static int64_t parameters_bytes(const struct lm_config *model, struct splice_place place,
                                const struct sae_task *sae)
{
    return shared_saes_bytes(lm_site_width(model, place.read.site), lm_site_width(model, place.replaced.site),
                             sae->width, sae->skip);
}

/* What the first `count` need together.  The first rank of a node reads an autoencoder into memory
 * of its own, before the ranks make their buffers. */
static struct stage_memory group_bytes(const struct stage_host *host, const struct placed *placed,
                                       int count)
{
    const enum precision precision = host->suite->model.precision;
    struct splice_room room = {
        .sequences = host->suite->harvest.block, .context = host->suite->corpus.context,
        .saes = count, .transcoders = placed->place.read.site != placed->place.replaced.site,
    };
    struct stage_memory need = { .node = weights_bytes(host->model, precision) };
    int64_t largest = 0;

    for (int i = 0; i < count; i++) {
        const struct sae_task *sae = placed->saes[i];
        const int64_t bytes = parameters_bytes(host->model, placed->place, sae);
        need.node += bytes;
        need.rank += sae->width * (int64_t)sizeof(int64_t);     /* how often each latent fired */
        largest = max_int64(largest, bytes);
        room.latents = (int32_t)max_int64(room.latents, sae->width);
    }
    need.rank += splice_bytes(host->model, precision, &room, host->threads);
    need.node += max_int64(0, largest - host->ranks * need.rank);
    return need;
}

/* Memory that processes share is a file in memory, and Linux lets such files have half of a node's
 * memory unless told otherwise. */
static bool fits(const struct stage_host *host, const struct placed *placed, int count)
{
    const struct stage_memory need = group_bytes(host, placed, count);

    return stages_node_bytes(host, need) <= host->memory && need.node <= host->memory / 2;
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
    const enum precision precision = host->suite->model.precision;
    struct stage_memory need = {
        .rank = weights_reading_bytes(host->model, host->threads),
        .node = weights_bytes(host->model, precision),
    };

    for (struct placed rest = *placed; rest.count > 0; ) {
        const int count = evaluate_group(host, &rest);
        need = stages_larger(host, need, group_bytes(host, &rest, count));
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
            need = stages_larger(host, need, evaluate_placed_bytes(host, &placed));
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
    const double behind = forward_work(model, end, context) + (double)context * head_work(model)
                          - to_place;
    const double values = (double)lm_site_width(model, placed->place.read.site)
                          + lm_site_width(model, placed->place.replaced.site);
    double work = 0;

    for (struct placed rest = *placed; rest.count > 0; ) {
        const int count = evaluate_group(host, &rest);
        work += to_place + RUN_SAES * behind;
        for (int i = 0; i < count; i++)
            work += behind + 2 * (double)context * values * rest.saes[i]->width;
        rest = evaluate_rest(&rest, count);
    }
    return work;
}

double evaluate_work(const struct stage_host *host, const struct tap_task *task)
{
    double work = 0;

    for (int site = 0; site < SITES; site++) {
        struct placed placed = evaluate_placed(task, (enum site)site);
        work += placed_work(host, &placed);
        evaluate_placed_free(&placed);
    }
    return work;
}
