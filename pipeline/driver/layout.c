#include "driver/layout.h"

/* What MPI, HDF5 and the libraries take on each rank before the stage takes anything. */
static const int64_t BASE_BYTES = 120 << 20;

/* The model's parameters, which the ranks of a node share. */
static int64_t parameter_bytes(const struct lm_config *model)
{
    const int64_t width = model->width, heads = model->heads, kv_heads = model->kv_heads;
    const int64_t attention = 2 * (heads + kv_heads) * model->head_width * width;
    const int64_t mlp = 3 * width * model->mlp_width;

    return (int64_t)sizeof(float) * (model->vocabulary * width
                                     + model->layers * (attention + mlp));
}

/* What a rank works on: some twenty values of the residual stream's width for each token of
 * a block. */
static int64_t block_bytes(const struct suite *suite, const struct lm_config *model)
{
    return (int64_t)sizeof(float) * suite->harvest.block * suite->corpus.context * 20
         * model->width;
}

struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, int cores, int64_t memory)
{
    int64_t each = BASE_BYTES, ranks = cores;

    switch (stage) {
    case STAGE_TRAIN:       /* one rank: its products share one batch, and threads need no */
        ranks = 1;          /* messages */
        break;
    case STAGE_HARVEST:     /* ranks: each computes its own blocks, and compresses and writes */
    case STAGE_EVALUATE:    /* while others compute */
        memory -= parameter_bytes(model);
        each += block_bytes(suite, model);
        break;
    case STAGE_SHUFFLE:     /* ranks: reading and writing is one thread's work in each */
        each += suite->shuffle.memory;
        break;
    default:                /* ranks: tokenize and release have no threads */
        break;
    }
    if (ranks > memory / each)
        ranks = memory / each;
    if (ranks < 1)
        ranks = 1;
    return (struct layout){ .ranks = (int)ranks, .threads = cores / (int)ranks };
}
