/* steered_writing.h -- let the model complete prompts with a vector added to each row of the
 * residual stream at one place, and read what it wrote without the vector.
 *
 * A completion depends on its prompt, its sample number, the sampling and the vector alone
 * (lm/completions.h).  Everything here is Local.
 */
#ifndef STEERED_WRITING_H
#define STEERED_WRITING_H

#include "intervene/steered_runs.h"
#include "lm/completions.h"

/* Completions without a vector, to which others are compared, are this many times as many. */
enum { STEERED_WRITING_PLAIN = 10 };

struct steered_writing {
    const struct prompts *prompts;
    struct tap            tap;
    struct steering       steering;     /* of this writing */
    int64_t               samples;      /* of each prompt, with a vector */
    struct completions    completions;
    struct completion    *list;         /* [most] prompt by prompt, sample by sample */
    int32_t              *ids;          /* [most, tokens] */
    struct prompts        written;      /* prompts with their completions */
    struct steered_runs   reading;
};

/* What it is made for; all that it points to must stay. */
struct steered_writing_setup {
    struct steered_runs_setup runs;     /* the texts are the prompts */
    struct sampling sampling;
    int64_t samples, tokens;    /* of a prompt; of a completion at most */
    int32_t end;                /* the id after which a completion ends; -1: none */
};

/* Bytes that steered_writing_make() allocates for prompts of up to `longest` tokens. */
int64_t steered_writing_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                              int64_t prompts, int64_t samples, int64_t longest, int64_t tokens,
                              int threads);

/* Make it.  steered_writing_free() accepts an empty one. */
void steered_writing_make(struct steered_writing *writing,
                          const struct steered_writing_setup *setup);
void steered_writing_free(struct steered_writing *writing);

/* Complete the prompts, `samples` times or, without a vector, as often as effects are compared to:
 * the first completions of writing->list, writing->written.count of them.  As completions_run(). */
enum status steered_writing_write(struct steered_writing *writing, struct steering steering);

/* The mean of each latent over the tokens of prompts and completions.  As
 * steered_runs_latents(). */
enum status steered_writing_latents(struct steered_writing *writing, double *mean);

#endif
