/* attention_back.h -- the way back through attention (attention.h), in float32.
 *
 * With weights p_ij = softmax_j(score(i, j)), gradients g_i at out_i, and the derivative of the
 * score by q_i . k_j, which is slope_ij = scale (1 - (score_ij / cap)^2), or scale without a cap:
 *
 *   dv_j = sum_i p_ij g_i
 *   d_ij = p_ij (g_i . v_j - sum_m p_im g_i . v_m) slope_ij
 *   dq_i = sum_j d_ij k_j,   dk_j = sum_i d_ij q_i
 *
 * The weights are computed again, strip by strip.
 */
#ifndef ATTENTION_BACK_H
#define ATTENTION_BACK_H

#include "kernels/attention_shape.h"

/* Bytes of scratch for `threads` threads. */
int64_t attention_back_scratch(const struct attention *shape, int threads);

/* Compute the gradients of all sequences.
 *   back      [as qkv]  out: at queries, keys and values
 *   gradient  [sequences * context, heads * head_width]                    in: at the output
 *   qkv       [sequences * context, (heads + 2 kv_heads) * head_width]     in, as for attention()
 *   scratch   [attention_back_scratch(shape, omp_get_max_threads())]
 * The precision of `shape` must be float32.  A key and its value get their gradients query head by
 * query head and strip by strip, so the result does not depend on the number of threads. */
void attention_back(float *back, const float *gradient, const float *qkv, void *scratch,
                    const struct attention *shape);

#endif
