#include "driver/layout.h"
#include "lm/forward.h"
#include "lm/weights.h"

#include <string.h>

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
        each += forward_and_rows(suite, model);
        memory -= weights_bytes(model, precision_of(suite));    /* shared by all ranks */
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
