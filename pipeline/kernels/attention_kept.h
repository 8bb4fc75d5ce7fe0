/* attention_kept.h -- attention of single tokens to the keys and values that are kept of the tokens
 * before them.
 *
 * What attention.h defines, in float32.  A sequence keeps, for each head of keys and values, a
 * matrix of keys [head_width, capacity], whose rows can be added as vectors, and one of values
 * [capacity, head_width].  The bits of a token depend on its sequence alone.
 */
#ifndef ATTENTION_KEPT_H
#define ATTENTION_KEPT_H

#include "kernels/attention_shape.h"

/* What is kept of a sequence in one layer. */
struct attention_kept {
    float  *keys;       /* [kv_heads, head_width, capacity] */
    float  *values;     /* [kv_heads, capacity, head_width] */
    int64_t capacity;   /* tokens */
};

/* Keep a token's keys and values.
 *   qkv  [(heads + 2 kv_heads) * head_width]   in: of the token, as attention() takes them
 *   position                                   of the token, below kept.capacity */
void attention_kept_add(struct attention_kept kept, const float *qkv, int64_t position,
                        const struct attention *shape);

/* Compute the attention of the token at `position`, of the query heads that read head `kv`.  The
 * keys and values up to its own are kept.
 *   out    [heads * head_width]   out: the part of these heads
 *   qkv                           in, as above
 *   scores [position + 1]         scratch
 * shape->sequences and shape->context do not matter. */
void attention_kept_attend(float *out, const float *qkv, float *scores, struct attention_kept kept,
                           int64_t position, int32_t kv, const struct attention *shape);

#endif
