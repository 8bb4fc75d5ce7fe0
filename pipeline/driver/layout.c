#include "driver/layout.h"
#include "lm/forward.h"
#include "lm/weights.h"

/* What MPI, HDF5 and the libraries take on each rank before the stage takes anything. */
static const int64_t BASE_BYTES = 120 << 20;

/* A rank of harvest or evaluate holds the whole model, a block's forward pass, and the
 * activations of about as many values again. */
static int64_t model_bytes(const struct suite *suite, const struct lm_config *model)
{
    return weights_bytes(model)
         + 2 * forward_bytes(model, suite->harvest.block, suite->corpus.context);
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
        each += model_bytes(suite, model);
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
