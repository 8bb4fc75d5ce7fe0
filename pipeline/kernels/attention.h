/* attention.h -- causal attention with grouped heads, sliding window and soft-cap.
 *
 *   score(i, j) = cap tanh(scale q_i . k_j / cap)     for i - window < j <= i
 *   out_i = sum_j softmax_j(score(i, j)) v_j
 *
 * Query head h reads key and value head h / (heads / kv_heads).  The queries of a sequence are
 * processed in strips of ATTENTION_STRIP.  A strip reads only the keys that one of its queries
 * sees, so keys outside the causal window cost nothing, and a thread needs memory for
 * ATTENTION_STRIP x context scores.
 *
 * In bfloat16, queries, keys, values and the weights of the values are rounded; scores, softmax
 * and sums are float32.  A CPU without bf16 dot products (dot.h) computes in float32, which is no
 * slower there.
 */
#ifndef ATTENTION_H
#define ATTENTION_H

#include "kernels/attention_shape.h"

/* Bytes of scratch for `threads` threads. */
int64_t attention_scratch(const struct attention *shape, int threads);

/* Compute the attention of all sequences.
 *   out [sequences * context, heads * head_width]                    out
 *   qkv [sequences * context, (heads + 2 kv_heads) * head_width]     in, a row is queries,
 *                                                                    keys, values
 *   scratch [attention_scratch(shape, omp_get_max_threads())]
 * The result does not depend on the number of threads. */
void attention(float *out, const float *qkv, void *scratch, const struct attention *shape);

#endif
