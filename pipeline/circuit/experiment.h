/* experiment.h -- prompts on a model's graph, and what removing edges does to a metric of them.
 *
 * Prompts are cut into equal blocks of up to EXPERIMENT_ROWS tokens, whatever the number of
 * ranks.  A block is one thread's work, and a rank has some blocks that follow each other.  A
 * metric's value is the mean over the prompts, added in their order, of the mean over a prompt's
 * questions.  So it has the same bits on any number of ranks and threads.
 */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include "base/split.h"
#include "circuit/graph_forward.h"
#include "circuit/metric.h"
#include "lm/head.h"

#include <mpi.h>

enum { EXPERIMENT_ROWS = 160 };

/* What is run.  Nothing in it is owned. */
struct experiment_setup {
    const struct weights  *weights;
    const struct graph    *graph;       /* NULL: the caller runs the model (experiment_measure()) */
    const int32_t         *clean;       /* [prompts, context] padded at the end */
    const int32_t         *corrupted;   /* [prompts, context] what absent edges carry; NULL: zero */
    int64_t                prompts, context;
    const struct question *questions;   /* in order of prompts, at least one for each */
    int64_t                count;       /* of them */
    enum circuit_metric            metric;
};

struct experiment {
    struct experiment_setup setup;
    MPI_Comm              comm;
    int                   rank, size;
    int64_t               sequences;    /* of a block */
    bool whole;                     /* run and streams are those of the clean prompts, all edges */
    struct range          blocks;       /* of this rank */
    struct graph_forward *forwards;     /* [range_length(blocks)]; NULL without a graph */
    float                *scratch;      /* [threads, graph_forward_scratch()] */
    float                *streams;      /* [questions, width] the last streams */
    bool                  shared;       /* every rank has all of them, and not its own and 0 */
    struct head           head;         /* a rank has every size-th tile of the questions */
    float *clean;                   /* [questions of this rank's tiles, outputs] clean logits */
    float                *logits;       /* [head.tile, outputs] */
    float *gradients;               /* [questions, width] where experiment_gradients() puts them */
    double               *scores;       /* [questions] */
    double               *values;       /* [prompts] */
};

/* Bytes that the first rank of `size` allocates, with `threads` threads; no other one more.
 * Local. */
int64_t experiment_bytes(const struct experiment_setup *setup, const struct lm_config *config,
                         int size, int threads);

/* Prompts of a block, and the blocks of a rank.  Local. */
int64_t      experiment_sequences(const struct experiment_setup *setup);
struct range experiment_blocks(const struct experiment_setup *setup, int rank, int size);

/* Run the clean prompts and the reference, if there is a graph.  experiment_free() accepts an empty
 * one.  Collective.  As forward_check(). */
enum status experiment_make(struct experiment *e, const struct experiment_setup *setup,
                            MPI_Comm comm);
void        experiment_free(struct experiment *e);

/* The metric when only these edges are present.  What lies below `receiver` must be as the call
 * before left it; 0 runs everything.  Collective; the same on all ranks. */
double experiment_value(struct experiment *e, const struct graph_edges *edges, int32_t receiver);

/* The metric of last streams that the caller has put into e->streams, after clearing it: those at
 * the questions of its own blocks; afterwards e->streams has them all.  experiment_measure_clean()
 * does the same for the clean run, with which some metrics compare, and must come first.
 * Collective; the same on all ranks. */
double experiment_measure(struct experiment *e);
double experiment_measure_clean(struct experiment *e);

/* The gradient of the metric by the last streams at the questions, which are in e->streams: those
 * of the last value, or what the caller has put there as for experiment_measure().
 *   gradients [questions, width]  out, on every rank
 * Collective. */
void experiment_gradients(struct experiment *e, float *gradients);

/* The prompts of this rank's block number `block`.  Local. */
struct range experiment_prompts(const struct experiment *e, int64_t block);

/* The questions of some prompts, which lie one after the other.  Local. */
struct range experiment_questions(const struct experiment *e, struct range prompts);

/* The row of a question in the block of these prompts.  Local. */
int64_t experiment_row(const struct experiment *e, struct range prompts, int64_t question);

/* Set e->streams to 0.  Local. */
void experiment_clear_streams(struct experiment *e);

/* The value of each prompt in the last call, [prompts].  Local. */
const double *experiment_values(const struct experiment *e);

#endif
