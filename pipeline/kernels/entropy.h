/* entropy.h -- cross-entropy and divergence of the distributions that logits define. */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stdint.h>

/* logits = cap tanh(logits / cap), in place.  With cap 0 they stay as they are. */
void entropy_soft_cap(float *logits, int64_t rows, int32_t vocabulary, float cap);

/* The way back, in place: from the gradient at capped logits to that at the logits before.
 *   gradient [rows, vocabulary]  in and out
 *   capped [rows, vocabulary]    in, from entropy_soft_cap() */
void entropy_soft_cap_back(float *gradient, const float *capped, int64_t rows, int32_t vocabulary,
                           float cap);

/* log of the sum of e^logit of every row, in nats. */
void entropy_log_sums(float *log_sum, const float *logits, int64_t rows, int32_t vocabulary);

/* Kullback-Leibler divergence KL(p || q) of every row, in nats:
 * sum p (log p - log q), with p and q the softmax of the logits.
 *   kl [rows]                        out
 *   p, q [rows, vocabulary]          in, logits
 *   p_log_sum, q_log_sum [rows]      in, from entropy_log_sums() */
void entropy_divergences(float *kl, const float *p, const float *p_log_sum, const float *q,
                         const float *q_log_sum, int64_t rows, int32_t vocabulary);

#endif
