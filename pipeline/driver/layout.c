#include "driver/layout.h"
#include "lm/forward.h"
#include "lm/weights.h"
#include "sae/training.h"
#include "sae/workspace.h"

#include <string.h>

/* So many tiles at least, or one rank's last tile keeps the others waiting. */
enum { TILES_OF_A_RANK = 4 };

/* What MPI, HDF5 and the libraries take on each rank before the stage takes anything. */
static const int64_t BASE_BYTES = 120 << 20;

static enum precision precision_of(const struct suite *suite)
{
    return strcmp(suite->model.precision, "bf16") == 0 ? PRECISION_BF16 : PRECISION_F32;
}

/* A rank of harvest or evaluate holds a block's forward pass, and the activations of about as
 * many values again. */
static int64_t forward_and_rows(const struct suite *suite, const struct lm_config *model)
{
    return 2 * forward_bytes(model, precision_of(suite), suite->harvest.block,
                             suite->corpus.context) + weights_reading_bytes(model);
}

/* The least or the greatest width of the suite's autoencoders. */
static int32_t width_of(const struct suite *suite, bool greatest)
{
    int64_t width = suite->saes[0].widths[0];

    for (unsigned g = 0; g < suite->saes_count; g++)
        for (unsigned w = 0; w < suite->saes[g].widths_count; w++)
            if ((suite->saes[g].widths[w] > width) == greatest)
                width = suite->saes[g].widths[w];
    return (int32_t)width;
}

/* What a rank of train works with, apart from its share of the parameters. */
static int64_t step_bytes(const struct suite *suite, const struct lm_config *model, int cores)
{
    const int32_t heads = model->heads * model->head_width;
    const int32_t inputs = heads > model->width ? heads : model->width;
    struct step_room room = {0};

    for (unsigned g = 0; g < suite->saes_count; g++) {
        const struct sae_task task = { .recipe = suite->saes[g].recipe };
        struct recipe recipe;
        recipe_make(&recipe, suite, &task);
        step_room_add(&room, &recipe, (struct shape){ inputs, inputs, width_of(suite, true) });
    }
    return workspace_bytes(&room, cores, 1);
}

struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, int cores, int64_t memory)
{
    int64_t each = BASE_BYTES, shared = 0, ranks = cores;

    switch (stage) {
    case STAGE_TRAIN:       /* ranks, as long as each has a few tiles of latents: on two cores
                               faster than threads by a third */
        if (ranks > width_of(suite, false) / TILES_OF_A_RANK / LATENT_TILE)
            ranks = width_of(suite, false) / TILES_OF_A_RANK / LATENT_TILE;
        each += step_bytes(suite, model, cores);
        break;
    case STAGE_HARVEST:     /* ranks: each computes its own blocks, and compresses and writes */
    case STAGE_EVALUATE:    /* while others compute */
        each += forward_and_rows(suite, model);
        shared = weights_bytes(model, precision_of(suite));
        break;
    case STAGE_SHUFFLE:     /* ranks: reading and writing is one thread's work in each */
        each += suite->shuffle.memory;
        break;
    default:                /* ranks: tokenize and release have no threads */
        break;
    }
    if (ranks > (memory - shared) / each)
        ranks = (memory - shared) / each;
    if (ranks < 1)
        ranks = 1;
    return (struct layout){ .ranks = (int)ranks, .threads = cores / (int)ranks, .bytes = each,
                            .node_bytes = shared };
}
