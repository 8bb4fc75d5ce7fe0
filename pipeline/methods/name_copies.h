/* name_copies.h -- which of a prompt's names, IO, S1 and S2, each head copies (heads/copy_score.h).
 * Everything here is Local. */
#ifndef NAME_COPIES_H
#define NAME_COPIES_H

#include "base/split.h"
#include "heads/copy_score.h"
#include "lm/forward.h"
#include "methods/methods.h"

/* The names of a block of circuit.block prompts. */
struct name_copies {
    struct copy_score score;
    const struct prompts *prompts;
    struct range range;         /* of the prompts */
    int64_t  names;
    float   *stream;            /* [names, width] after layer 0 */
    int32_t *id;                /* [names] */
    int64_t *prompt;            /* [names] whose it is */
    bool    *copied, *negative; /* [names] */
};

/* Bytes that name_copies_make() allocates; name_copies_free() accepts an empty one. */
int64_t name_copies_bytes(const struct suite *suite, const struct lm_config *config);
void    name_copies_make(struct name_copies *n, const struct circuit *circuit);
void    name_copies_free(struct name_copies *n);

/* Take the names of a block, which stands at the site res of layer 0. */
void name_copies_read(struct name_copies *n, const struct forward *forward, struct range range);

/* The shares of each prompt's names that a head copies, and that it speaks against; NaN for prompts
 * without names, and for models of one layer.
 *   copied, negative [prompts of the block]  out, `stride` numbers apart */
void name_copies_find(struct name_copies *n, double *copied, double *negative, int64_t stride,
                      int layer, int head);

#endif
