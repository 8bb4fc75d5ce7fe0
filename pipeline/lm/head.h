/* head.h -- from the last residual stream to logits, losses and divergences.
 *
 * The logits of all rows at once would be the largest array in memory (256 k words a row), so
 * they are computed for a tile of rows at a time and never kept.  Several streams of the same
 * text (the model as it is, and with autoencoders spliced in) are scored together: all are
 * compared with the first, whose logits are computed once.
 */
#ifndef HEAD_H
#define HEAD_H

#include "lm/weights.h"

struct head {
    const struct weights *weights;
    int64_t tile;           /* rows */
    float  *normed;         /* [tile, width] */
    float  *first, *other;  /* [tile, outputs] logits */
    float  *first_sum, *other_sum;      /* [tile] logs of their sums */
};

/* Rows of a tile.  Local, as all here. */
int64_t head_tile(const struct lm_config *config);

/* Bytes that head_make() allocates. */
int64_t head_bytes(const struct lm_config *config);
void    head_make(struct head *head, const struct weights *weights);
void    head_free(struct head *head);

/* Flops of the logits of a row. */
double head_work(const struct lm_config *config);

/* Logits after the soft-cap, of at most head->tile rows.
 *   logits [rows, outputs]  out
 *   stream [rows, width]    in, residual stream after the last layer */
void head_logits(struct head *head, float *logits, const float *stream, int64_t rows);

/* The same for few rows, each as if it were alone: its bits do not depend on the others.
 *   packed [narrow_count(rows, width)]  scratch (kernels/narrow.h) */
void head_logits_few(struct head *head, float *logits, const float *stream, int64_t rows,
                     float *packed);

/* Go back from the gradient by the logits of some rows to that by the residual stream after the
 * last layer, through the soft-cap, the unembedding and the last norm.
 *   gradient [rows, width]         out: 0 in all other rows
 *   by_logits [count, outputs]     in: by the logits after the soft-cap
 *   stream [rows, width]           in
 *   chosen [count]                 in: the rows, each once */
void head_back(struct head *head, float *gradient, const float *by_logits, const float *stream,
               int64_t rows, const int64_t *chosen, int64_t count);

/* One stream and its scores. */
struct head_task {
    const float *stream;    /* [rows, width]  in */
    float       *loss;      /* [rows]  out: cross-entropy of the next id, nats */
    float       *kl;        /* [rows]  out: KL(first stream || this), nats; NULL: not computed */
};

/* Score `count` streams of the same rows.
 *   next [rows]  in: the id that follows, or -1 if there is none; the loss is then 0 */
void head_score(struct head *head, const struct head_task *tasks, int count,
                const int32_t *next, int64_t rows);

/* The id after each id: next[t] = ids[t + 1], and -1 at the end of each sequence.
 *   next [sequences, context]  out   may be `ids`
 *   ids  [sequences, context]  in */
void head_next(int32_t *next, const int32_t *ids, int64_t sequences, int64_t context);

#endif
