/* differences.h -- the difference of logits where a prompt ends: mean logit of the answers less
 * that of the wrong answers.  Everything here is Local.
 */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H

#include "base/split.h"
#include "lm/forward.h"
#include "lm/head.h"
#include "methods/methods.h"

/* Of blocks of circuit.block prompts. */
struct differences {
    const struct prompts *prompts;
    int32_t     outputs;
    struct head head;
    float      *ends;           /* [block, width] the last stream where the prompts end */
    float      *logits;         /* [block, outputs] there */
};

/* Refuse, in the name of a method, prompts without answers or wrong answers, or where the metric
 * looks at several positions.  E_USAGE. */
enum status differences_check(const struct prompts *prompts, const char *method);

/* Bytes that differences_make() allocates; differences_free() accepts an empty one. */
int64_t differences_bytes(const struct suite *suite, const struct lm_config *config);
void    differences_make(struct differences *d, const struct circuit *circuit);
void    differences_free(struct differences *d);

/* The position where a prompt ends: where the metric looks. */
int64_t differences_end(const struct prompts *prompts, int64_t prompt);

/* The row of the present site where prompt p of the block [range] ends. */
const float *differences_row(const struct differences *d, const struct forward *forward,
                             struct range range, int64_t prompt);

/* Go to the end of the model with a block, and find its logits. */
void differences_find(struct differences *d, struct forward *forward, struct range range);

/* The logits of one of its prompts [outputs], and the difference of these. */
const float *differences_logits(const struct differences *d, struct range range, int64_t prompt);
double       differences_of(const struct differences *d, struct range range, int64_t prompt);

#endif
