/* copy_ranks.h -- is a head a copy-suppression head, by its weights alone?
 *
 * McDougall, Conmy, Rushing, McGrath and Nanda, "Copy suppression: comprehensively understanding an
 * attention head" (arXiv:2310.04625), section 3.  With u(i) the direction of token i
 * (unembedding.h) and k(t) what a head reads of token t, normalised (EFFECTIVE_BOTH of
 * effective.h):
 *
 *   OV(i, t) = u(i) . W_O W_V k(t)          how attention to t moves the logit of i
 *   QK(i, t) = (W_Q u(i)) . (W_K k(t))      how the prediction of i looks for t
 *
 * The head suppresses copies of t if OV(t, t) is among the lowest of all OV(i, t), and finds what
 * is predicted if QK(i, i) is the largest of all QK(i, t).  The ranks say so, 0 being the extreme:
 *
 *   OV rank of t: the number of i with OV(i, t) < OV(t, t)
 *   QK rank of i: the number of t with QK(i, t) > QK(i, i)
 *
 * Biases, positions (rotary ones, too) and what a norm after attention divides by are left out.
 * Both tables have vocabulary^2 entries; they are of rank head_width, so entries are computed in
 * tiles, counted and forgotten.  Time: 2 head_width vocabulary^2 additions and multiplications a
 * head and table.  Everything here is Local, and does not depend on the number of threads.
 */
#ifndef COPY_RANKS_H
#define COPY_RANKS_H

#include "base/split.h"
#include "heads/unembedding.h"

/* Ranks are computed for a tile of tokens at a time; ranges of tokens begin at a multiple. */
enum { COPY_RANKS_TILE = 256 };

enum copy_ranks_kind { COPY_RANKS_OV, COPY_RANKS_QK };

struct copy_ranks {
    const struct weights     *weights;
    const struct unembedding *unembedding;
    float *embeddings;          /* [vocabulary, width] effective ones */
    float *own, *other;         /* [vocabulary, head_width] of the present table: entry (a, b) is
                                   own[a] . other[b], and the rank of a the number of b below */
    float *rows;                /* [rows of a tile, width] */
    float *products;            /* [threads] tiles of a table */
};

/* E_USAGE for weights that unembedding_check() refuses; for QK also for models with norms of
 * queries and keys, for which the table is not bilinear. */
enum status copy_ranks_check(const struct weights *weights, enum copy_ranks_kind kind);

/* Compute the effective embeddings, and allocate.  copy_ranks_bytes() includes what is needed
 * meanwhile.  `weights` and `unembedding` must outlive it.  copy_ranks_free() accepts an empty
 * one. */
int64_t copy_ranks_bytes(const struct lm_config *config, int threads);
void    copy_ranks_make(struct copy_ranks *ranks, const struct weights *weights,
                        const struct unembedding *unembedding);
void    copy_ranks_free(struct copy_ranks *ranks);

/* The ranks of some tokens for one head.
 *   rank   [tokens.end - tokens.first]   out
 *   tokens  begins at a multiple of COPY_RANKS_TILE, and ends at one or with the vocabulary: so a
 *           rank does not depend on how tokens are divided */
void copy_ranks_of(struct copy_ranks *ranks, int32_t *rank, enum copy_ranks_kind kind, int layer,
                   int head, struct range tokens);

#endif
