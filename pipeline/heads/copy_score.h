/* copy_score.h -- does a head copy the token that it reads, or speak against it?
 *
 * Wang et al., arXiv:2211.00593, section 3.1 and appendix: the residual stream after layer 0, at a
 * token, goes through the norm before attention of layer 1, W_V (with its bias) and W_O of the
 * head, as if the head attended to nothing else, then through the last norm and the unembedding.
 * The head copies the token if the token is then among the COPY_SCORE_TOP of largest logit; it
 * speaks against the token if that is so of the negative output.  A score is the share of tokens of
 * some prompts.  Heads of layers 0 and 1 have one, too, though nothing in the model goes that way.
 *
 * Everything here is Local, and does not depend on the number of threads.
 */
#ifndef COPY_SCORE_H
#define COPY_SCORE_H

#include "lm/head.h"

enum { COPY_SCORE_TOP = 5 };

/* Buffers for up to `rows` tokens. */
struct copy_score {
    const struct weights *weights;
    struct head head;
    int64_t rows;
    float  *normed;             /* [rows, width] */
    float  *value;              /* [rows, head_width] */
    float  *written;            /* [rows, width] */
    float  *logits;             /* [head.tile, outputs] */
};

/* Bytes that copy_score_make() allocates; copy_score_free() accepts an empty one.  The weights, in
 * float32, must outlive it. */
int64_t copy_score_bytes(const struct lm_config *config, int64_t rows);
void    copy_score_make(struct copy_score *score, const struct weights *weights, int64_t rows);
void    copy_score_free(struct copy_score *score);

/* The model has the layer whose norm is needed. */
bool copy_score_exists(const struct lm_config *config);

/* Take some tokens, for all heads.
 *   stream [rows, width]  in: the residual stream after layer 0 */
void copy_score_read(struct copy_score *score, const float *stream, int64_t rows);

/* Does a head copy them, speak against them?
 *   copied, negative [rows]  out
 *   ids [rows]               in */
void copy_score_find(struct copy_score *score, bool *copied, bool *negative, const int32_t *ids,
                     int64_t rows, int layer, int head);

#endif
