/* experiment.h -- prompts on a model's graph, and what removing edges does to a metric of them.
 *
 * Prompts are cut into blocks of EXPERIMENT_ROWS tokens, whatever the number of ranks; a rank has every
 * size-th block.  A metric's value is the mean over the prompts, added in their order, of the mean over a
 * prompt's questions.  So it has the same bits on any number of ranks and threads.
 */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "base/split.h"
#include "circuit/graph_forward.h"
#include "circuit/metric.h"
#include "lm/head.h"

#include <mpi.h>

enum { EXPERIMENT_ROWS = 512 };

/* What is run.  Nothing in it is owned. */
struct experiment_setup {
    const struct weights  *weights;
    const struct graph    *graph;
    const int32_t         *clean;       /* [prompts, context] padded at the end */
    const int32_t         *corrupted;   /* [prompts, context] what absent edges carry; NULL: zero */
    int64_t                prompts, context;
    const struct question *questions;   /* in order of prompts, at least one for each */
    int64_t                count;       /* of them */
    enum metric            metric;
};

struct experiment {
    struct experiment_setup setup;
    MPI_Comm              comm;
    int                   rank, size;
    int64_t               sequences;    /* of a block */
    int64_t               blocks;       /* of this rank */
    struct graph_forward *forwards;     /* [blocks] */
    struct head           head;
    float                *clean;        /* [questions, outputs] clean logits of this rank's */
    float                *logits;       /* [head.tile, outputs] */
    float                *stream;       /* [head.tile, width] */
    double               *scores;       /* [questions] */
    double               *values;       /* [prompts] */
};

/* Bytes that a rank of `size` allocates at most, with `threads` threads.  Local. */
int64_t experiment_bytes(const struct experiment_setup *setup, const struct lm_config *config, int size,
                         int threads);

/* Run the clean prompts and the reference.  experiment_free() accepts an empty one.  Collective.
 * As forward_start(). */
enum status experiment_make(struct experiment *e, const struct experiment_setup *setup,
                            MPI_Comm comm);
void        experiment_free(struct experiment *e);

/* The metric when only these edges are present.  What lies below `receiver` must be as the call before
 * left it; 0 runs everything.  Collective; the same on all ranks. */
double experiment_value(struct experiment *e, const struct graph_edges *edges, int32_t receiver);

/* The prompts of this rank's block number `block`.  Local. */
struct range experiment_prompts(const struct experiment *e, int64_t block);

/* The value of each prompt in the last call, [prompts].  Local. */
const double *experiment_values(const struct experiment *e);

#endif
