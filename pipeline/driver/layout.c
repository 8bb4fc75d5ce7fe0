#include "driver/layout.h"
#include "base/memory.h"
#include "driver/cores.h"
#include "evaluate/evaluate_need.h"
#include "harvest/harvest_need.h"
#include "lm/weights.h"
#include "train/trainings.h"

/* Minimum tiles per worker, for load balance: of latents per rank of train, of a matrix product
 * per thread of harvest. */
enum { TILES_OF_A_RANK = 4, TILES_OF_A_THREAD = 16 };

/* The least width of the suite's autoencoders. */
static int32_t least_width(const struct suite *suite)
{
    int64_t width = suite->saes[0].widths[0];

    for (unsigned g = 0; g < suite->saes_count; g++)
        for (unsigned w = 0; w < suite->saes[g].widths_count; w++)
            if (suite->saes[g].widths[w] < width)
                width = suite->saes[g].widths[w];
    return (int32_t)width;
}

static struct stage_memory train_bytes(const struct stage_host *host)
{
    int32_t width[SITES];

    for (int s = 0; s < SITES; s++)
        width[s] = lm_site_width(host->model, (enum site)s);
    return trainings_need(host, width);
}

struct nodes layout_nodes_here(void)
{
    return (struct nodes){ .count = 1, .cores = cores_available(), .memory = memory_limit() };
}

struct nodes layout_nodes_of_task(enum stage stage, const struct suite *suite)
{
    const bool several = stage == STAGE_SHUFFLE || stage == STAGE_TRAIN;

    return (struct nodes){ .count = several ? (int)suite->resources.nodes : 1,
                           .cores = (int)suite->resources.cores,
                           .memory = suite->resources.memory };
}

/* Ranks of a node for train. */
static int most_train(const struct suite *suite, struct nodes nodes)
{
    const int tiles = least_width(suite) / TILES_OF_A_RANK / LATENT_TILE / nodes.count;

    if (nodes.cores < tiles)
        return nodes.cores;
    return tiles > 0 ? tiles : 1;
}

/* Ranks of a node for harvest, so that a block's narrowest product has tiles for all threads. */
static int most_harvest(const struct suite *suite, const struct lm_config *model,
                        struct nodes nodes)
{
    const int64_t rows = suite->harvest.block * suite->corpus.context;
    const enum precision precision = suite->model.precision;
    const int64_t threads = linear_tiles(precision, model->width, rows) / TILES_OF_A_THREAD;

    if (threads <= 1)
        return nodes.cores;
    return threads < nodes.cores ? nodes.cores / (int)threads : 1;
}

/* Ranks of a node, if memory were no matter.  Train: as long as each has a few tiles of latents,
 * on two cores faster than threads by a third.  Harvest: threads share one writer and one set of
 * buffers, and need not wait for each other's blocks: with Gemma 2 2B faster than ranks by a
 * sixth.  Evaluate: each computes its own blocks.  Shuffle: reading and writing is one thread's
 * work in each.  Tokenize and release have no threads. */
static int most_ranks(enum stage stage, const struct suite *suite, const struct lm_config *model,
                      struct nodes nodes)
{
    switch (stage) {
    case STAGE_TRAIN:
        return most_train(suite, nodes);
    case STAGE_HARVEST:
        return most_harvest(suite, model, nodes);
    default:
        return nodes.cores;
    }
}

static struct stage_memory bytes_of(enum stage stage, const struct stage_host *host)
{
    switch (stage) {
    case STAGE_TRAIN:
        return train_bytes(host);
    case STAGE_HARVEST:
        return harvest_bytes(host);
    case STAGE_EVALUATE:
        return evaluate_bytes(host);
    case STAGE_SHUFFLE:
        return (struct stage_memory){ .rank = host->suite->shuffle.memory };
    default:
        return (struct stage_memory){0};
    }
}

struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, struct nodes nodes)
{
    struct tasks tasks = {0};
    struct stage_host host = {
        .suite = suite, .model = model, .tasks = &tasks, .nodes = nodes.count,
        .ranks = most_ranks(stage, suite, model, nodes), .memory = nodes.memory,
    };
    struct stage_memory need;

    if (tasks_make(&tasks, suite, model->layers) != OK)
        refuse_clear();     /* the stage will say what is wrong */
    for (;; host.ranks--) {
        host.threads = nodes.cores / host.ranks;
        need = bytes_of(stage, &host);
        if (host.ranks == 1 || stages_node_bytes(&host, need) <= nodes.memory)
            break;
    }
    tasks_free(&tasks);
    return (struct layout){ .ranks = host.ranks, .threads = host.threads,
                            .bytes = MEMORY_BASE + need.rank, .node_bytes = need.node };
}
