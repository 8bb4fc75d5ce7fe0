#include "driver/layout.h"
#include "base/memory.h"
#include "driver/cores.h"
#include "lm/forward.h"
#include "lm/weights.h"
#include "train/trainings.h"

/* So many tiles at least, or one's last tile keeps the others waiting: of latents to a rank of
 * train, of a matrix product to a thread of harvest. */
enum { TILES_OF_A_RANK = 4, TILES_OF_A_THREAD = 16 };

/* A rank of harvest or evaluate holds a block's forward pass, and the activations of about as
 * many values again. */
static int64_t forward_and_rows(const struct suite *suite, const struct lm_config *model,
                                int threads)
{
    return 2 * forward_bytes(model, suite->model.precision, suite->harvest.block,
                             suite->corpus.context, threads)
           + weights_reading_bytes(model, threads);
}

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

/* What a rank of train allocates for the stream that needs most.  0 if the tasks are not right:
 * the stage will say so. */
static int64_t train_bytes(const struct suite *suite, const struct lm_config *model, int ranks,
                           int threads)
{
    struct tasks tasks = {0};
    int64_t most = 0;

    if (tasks_make(&tasks, suite, model->layers) != OK)
        refuse_clear();
    for (int t = 0; t < tasks.taps_count; t++) {
        struct trainings trainings;
        trainings_make(&trainings, suite, model, &tasks.train[t]);
        const int64_t bytes = trainings.count > 0 ? trainings_bytes(&trainings, ranks, threads) : 0;
        most = bytes > most ? bytes : most;
        trainings_free(&trainings);
    }
    tasks_free(&tasks);
    return most;
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
    const int64_t threads = linear_tiles(suite->model.precision, model->width, rows)
                          / TILES_OF_A_THREAD;

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

/* Of a rank, when there are so many in all. */
static int64_t bytes_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, int ranks, int threads)
{
    switch (stage) {
    case STAGE_TRAIN:
        return train_bytes(suite, model, ranks, threads);
    case STAGE_HARVEST:
    case STAGE_EVALUATE:
        return forward_and_rows(suite, model, threads);
    case STAGE_SHUFFLE:
        return suite->shuffle.memory;
    default:
        return 0;
    }
}

struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, struct nodes nodes)
{
    const bool has_model = stage == STAGE_HARVEST || stage == STAGE_EVALUATE;
    struct layout layout = {
        .ranks = most_ranks(stage, suite, model, nodes),
        .node_bytes = has_model ? weights_bytes(model, suite->model.precision) : 0,
    };

    for (;; layout.ranks--) {
        layout.threads = nodes.cores / layout.ranks;
        layout.bytes = MEMORY_BASE + bytes_of(stage, suite, model, nodes.count * layout.ranks,
                                              layout.threads);
        if (layout.ranks == 1
            || layout.ranks * layout.bytes + layout.node_bytes <= nodes.memory)
            return layout;
    }
}
