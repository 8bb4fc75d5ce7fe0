/* attention_weights.h -- where an attention head looks: the weights of one query.
 */
#ifndef ATTENTION_WEIGHTS_H
#define ATTENTION_WEIGHTS_H

#include "kernels/attention.h"

/* The weights with which a query takes values, as attention() computes them, in float32.
 *   weights [context]  out: of the tokens of the sequence; 0 where the query does not look
 *   qkv     in, as attention() takes it: normed, with positions
 * `token` is the query's place in its sequence. */
void attention_weights(float *weights, const float *qkv, const struct attention *shape,
                       int64_t sequence, int64_t token, int32_t head);

#endif
