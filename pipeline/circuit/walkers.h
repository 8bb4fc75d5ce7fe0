/* walkers.h -- what threads need to go through the blocks of an experiment forward and back, in the
 * model's own forward pass.  Everything here is Local.
 */
#ifndef WALKERS_H
#define WALKERS_H

#include "circuit/experiment.h"
#include "lm/backward.h"

struct walker {
    struct forward  forward;
    struct backward backward;
    float          *gradient;   /* [rows, width] by the last stream */
};

/* Bytes of a walker; and one for each of `threads` threads, of experiments like this.  Caller frees
 * with walkers_free(). */
int64_t        walkers_bytes(const struct experiment_setup *setup, const struct lm_config *config);
struct walker *walkers_make(const struct experiment *experiment, int threads);
void           walkers_free(struct walker *walkers, int threads);

/* Put the embeddings of a block's clean prompts into the stream. */
void walkers_start(struct walker *walker, const struct experiment *experiment, int64_t block);

/* Copy the last streams of a block to the experiment's, at its questions. */
void walkers_end(const struct walker *walker, struct experiment *experiment, int64_t block);

/* Begin the way back from the gradients at the block's questions.
 *   gradients [questions, width]  in: experiment_gradients() */
void walkers_turn(struct walker *walker, const struct experiment *experiment, int64_t block,
                  const float *gradients);

#endif
