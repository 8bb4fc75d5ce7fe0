/* effective.h -- tokens as the weights see them, without a prompt.
 *
 * A head reads a token through the norm before attention, from its embedding, from what the first
 * MLP adds to the embedding, or from both (the effective embedding of McDougall et al.,
 * arXiv:2310.04625, section 3).  It writes in directions that the last norm and the unembedding
 * read.  Norms are folded into what reads: their scales stay, their biases are left out, and
 * whatever the norm removes is removed from the directions, too.
 *
 * Weights are in float32.  Everything here is Local, and does not depend on the number of threads.
 */
#ifndef EFFECTIVE_H
#define EFFECTIVE_H

#include "lm/weights.h"

/* What a token is: its embedding (times the model's factor), what MLP 0 adds when it reads the
 * embedding alone, the sum of both.  No positions. */
enum effective_kind { EFFECTIVE_EMBEDDING, EFFECTIVE_MLP, EFFECTIVE_BOTH, EFFECTIVE_KINDS };

/* Bytes that effective_embeddings() allocates while it works, with `threads` threads. */
int64_t effective_bytes(const struct lm_config *config, int threads);

/* Compute them.
 *   x   [count, width]  out
 *   ids [count]         in; NULL: the ids 0, 1, ... */
void effective_embeddings(float *x, const struct weights *weights, enum effective_kind kind,
                          const int32_t *ids, int64_t count);

/* Normalise rows as the norm does, but for its bias.
 *   y [rows, width]  out
 *   x [rows, width]  in */
void effective_normalise(float *y, const float *x, struct norm_weights norm,
                         const struct lm_config *config, int64_t rows);

/* What the norm divides a row by: sqrt(variance + epsilon), or of RMSNorm sqrt(mean square +
 * epsilon); 1 without a norm.
 *   size [rows]         out
 *   x    [rows, width]  in */
void effective_norm_size(float *size, const float *x, struct norm_weights norm,
                         const struct lm_config *config, int64_t rows);

/* The matrices of one head, where they lie in the model's.  A vector v of the head writes
 * sum_j v[j] out[i * out_stride + j], times `out_scale` of the norm after attention, to value i. */
struct effective_head {
    const float *query, *key, *value;   /* [head_width, width] */
    const float *out;                   /* [width] rows of head_width, out_stride apart */
    int64_t      out_stride;
    const float *out_scale;             /* [width]; NULL: 1 */
};

struct effective_head effective_head(const struct weights *weights, int layer, int head);

/* What vectors of a head write, without what a norm after attention divides by.
 *   y [rows, width]       out
 *   v [rows, head_width]  in, rows `stride` values apart */
void effective_write(float *y, const struct effective_head *head, const struct lm_config *config,
                     const float *v, int64_t stride, int64_t rows);

#endif
