/* pairs.h -- golden files of prompts in pairs on tiny-gpt2 (tests/golden/README.md): the clean and
 * the corrupted ones, and a question where each ends. */
#ifndef PAIRS_H
#define PAIRS_H

#include "circuit/experiment.h"
#include "shard/h5.h"
#include "tests/golden.h"

enum { PAIRS_MOST = 16, PAIRS_CONTEXT = 20 };

struct pairs {
    hid_t                   file;
    struct weights          weights;
    struct graph            graph;
    int32_t clean[PAIRS_MOST * PAIRS_CONTEXT], corrupted[PAIRS_MOST * PAIRS_CONTEXT];
    int32_t                 io[PAIRS_MOST], s[PAIRS_MOST], places[PAIRS_MOST][5];
    struct question         questions[PAIRS_MOST];
    struct experiment_setup setup;      /* metric: logit difference */
};

/* Open a file with so many prompts of so many tokens.  `pairs` must stay where it is. */
static inline void pairs_open(struct pairs *pairs, const char *path, int32_t prompts,
                              int32_t context)
{
    static const char model[] = "jobs/circuits/tiny-gpt2";
    const hid_t ints = H5T_NATIVE_INT32;
    struct lm_config config;

    assert_int_equal(h5_open(&pairs->file, path), OK);
    golden_read(pairs->file, "tokens", ints, prompts * context, pairs->clean);
    golden_read(pairs->file, "tokens_abc", ints, prompts * context, pairs->corrupted);
    golden_read(pairs->file, "io", ints, prompts, pairs->io);
    golden_read(pairs->file, "s", ints, prompts, pairs->s);
    golden_read(pairs->file, "pos", ints, 5 * prompts, pairs->places);
    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&pairs->weights, &config, PRECISION_F32, model, MPI_COMM_SELF),
                     OK);
    assert_int_equal(graph_make(&pairs->graph, &pairs->weights.config, false), OK);
    for (int32_t p = 0; p < prompts; p++)
        pairs->questions[p] =
            (struct question){ p, pairs->places[p][4], 1, 1, &pairs->io[p], &pairs->s[p] };
    pairs->setup = (struct experiment_setup){
        .weights = &pairs->weights, .graph = &pairs->graph, .clean = pairs->clean,
        .corrupted = pairs->corrupted, .prompts = prompts, .context = context,
        .questions = pairs->questions, .count = prompts, .metric = METRIC_LOGIT_DIFFERENCE,
    };
}

static inline void pairs_close(struct pairs *pairs)
{
    weights_free(&pairs->weights);
    assert_int_equal(h5_close(&pairs->file, "the golden file", OK), OK);
}

#endif
