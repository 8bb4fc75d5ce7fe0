/* sampling.h -- choose the next token by its probability.
 *
 * With temperature T the probabilities are the softmax of logits / T.  top_k keeps the k most
 * probable tokens.  top_p (nucleus sampling, Holtzman et al., arXiv:1904.09751) then keeps the
 * fewest of them, the most probable first, whose share of what top_k has kept is at least p.  Of
 * equal logits the one with the smaller id comes first.  Temperature 0 takes the most probable
 * token.
 *
 * A choice depends on the logits and on (seed, prompt, sample, position) alone.  Everything here is
 * Local.
 */
#ifndef SAMPLING_H
#define SAMPLING_H

#include "base/refuse.h"

#include <stdint.h>

struct sampling {
    double   temperature;       /* 0: the most probable token */
    int64_t  top_k;             /* 0: all */
    double   top_p;             /* 1: all */
    uint64_t seed;
};

/* The place of a token that is drawn: prompt, sample, position. */
struct sampling_place {
    uint64_t prompt;            /* sampling_prompt() */
    int64_t  sample, position;  /* below 2^32 */
};

/* A token that may be chosen. */
struct sampling_token {
    float   logit;
    int32_t id;
};

/* Refuse a temperature below 0, a top_k below 0, a top_p that is not above 0 and at most 1.
 * E_USAGE. */
enum status sampling_check(const struct sampling *sampling);

/* A number of the prompt's tokens: equal prompts are one prompt. */
uint64_t sampling_prompt(const int32_t *ids, int64_t count);

/* Choose a token.
 *   logits [words]   in, none of them NaN
 *   scratch [words] */
int32_t sampling_choose(const struct sampling *sampling, const float *logits, int32_t words,
                        struct sampling_place place, struct sampling_token *scratch);

#endif
