/* completions.h -- let a model complete prompts, token by token.
 *
 * Completions go through the model together, COMPLETIONS_ROWS tokens in a step at most: the next
 * token of each, and what is left of their prompts.  When one has ended, the next one takes its
 * place.  A completion depends on its prompt, its sample number and the sampling alone (cache.h,
 * sampling.h): not on others, and not on how they are divided among ranks.  Everything here is
 * Local.
 */
#ifndef COMPLETIONS_H
#define COMPLETIONS_H

#include "lm/forward.h"
#include "lm/head.h"
#include "lm/sampling.h"

enum { COMPLETIONS_ROWS = 64 };

struct completion {
    const int32_t *prompt;      /* [prompt_tokens] with BOS, if the model has one; at least one */
    int64_t        prompt_tokens;
    int64_t        sample;      /* of this prompt */
    int32_t       *ids;         /* [tokens]  out: what the model adds; the caller's */
    int64_t        count;       /* out: how many, with the one that ends it */
};

/* Move the cursor from the start to the end.  Whoever changes something at a site does it here; row
 * r is the token at position forward->cache->position[r].  A row may only be changed by what its
 * own sequence says. */
typedef void completions_walk(struct forward *forward, void *data);

struct completions {
    struct forward   forward;
    struct cache     cache;
    struct head      head;
    struct sampling  sampling;
    int64_t          tokens;    /* most that are added to a prompt */
    int32_t          end;       /* the id after which a completion ends; -1: none */
    completions_walk *walk;     /* NULL: nothing is changed */
    void            *data;
    float           *stream, *logits;       /* [COMPLETIONS_ROWS, width], [.., outputs] */
    struct sampling_token *scratch;         /* [threads, outputs] */
};

/* Bytes that completions_make() allocates with `threads` threads, for prompts and completions of up
 * to `capacity` tokens together, of which at most `most` are at work. */
int64_t completions_bytes(const struct lm_config *config, int64_t capacity, int64_t most,
                          int threads);

/* Make it; the sampling, `tokens`, `end`, `walk` and `data` are the caller's to set.  The weights,
 * in float32, must outlive it.  `most` is 1 to COMPLETIONS_ROWS.  completions_free() accepts an
 * empty struct. */
void completions_make(struct completions *completions, const struct weights *weights,
                      int64_t capacity, int64_t most);
void completions_free(struct completions *completions);

/* Complete `count` prompts.  E_USAGE if a prompt and its completion have more tokens than the
 * capacity or the model's positions; E_FORMAT if an id is not in the vocabulary; E_NUMERIC if
 * logits are not finite. */
enum status completions_run(struct completions *completions, struct completion *completion,
                            int64_t count);

#endif
