/* successor.h -- does a head move each word of an ordered class to the next one?
 *
 * Gould, Ong, Ogden and Conmy, "Successor heads: recurring, interpretable attention heads in the
 * wild" (arXiv:2312.09230), sections 2 to 4.  The effective OV circuit gives the logits that
 * attention to one token adds, with no prompt:
 *
 *   logits(t) = W_U W_O W_V N(x(t))
 *
 * N is the norm before the head's attention; x is what MLP 0 adds to t's embedding (the paper's
 * choice), the effective embedding, or the embedding (effective.h).  The successor score is the
 * share of words whose largest logit within the class is their successor's; a successor head has
 * more than half.  Words without a successor do not count.  Heads of layer 0 stand before MLP 0, so
 * their scores say something about their weights alone.
 *
 * Everything here is Local, and does not depend on the number of threads.
 */
#ifndef SUCCESSOR_H
#define SUCCESSOR_H

#include "heads/mod_ten.h"
#include "heads/ordinals.h"
#include "heads/unembedding.h"

/* Bytes that the functions below allocate while they work on `rows` rows, or tokens of all classes,
 * and a class of `count` tokens; without an autoencoder `latents` is 0. */
int64_t successor_bytes(const struct lm_config *config, int64_t rows, int64_t count,
                        int32_t latents);

/* For each row, which token of the class has the largest logit?  Of equal ones the first.
 *   answer [rows]         out: tokens of the class, by number
 *   x      [rows, width]  in, before the norm: effective_embeddings() of the class's ids, say
 *   layer, head           the head */
void successor_answers(int32_t *answer, const struct weights *weights,
                       const struct unembedding *unembedding, const struct ordinal_class *class,
                       const float *x, int64_t rows, int layer, int head);

/* The score, from the answers to all tokens of the class; NaN if no token has a successor. */
double successor_score(const int32_t *answer, const struct ordinal_class *class);

/* Arithmetic with digits: in what a token means, 23 say, exchange the direction of its last digit
 * for that of another digit m (mod_ten_exchange()).  Does the head give the successor of 20 + m?
 *   right, tried [count of the class]   out: of each token, the digits with the right answer; and
 *                                       those for which 20 + m and its successor are in the class
 *   x [count of the class, width]       in: what the tokens are, as `ten` was found in */
void successor_arithmetic(int32_t *right, int32_t *tried, const struct weights *weights,
                          const struct unembedding *unembedding,
                          const struct ordinal_class *class, const struct mod_ten *ten,
                          const float *x, int layer, int head);

/* How well can index and class be told from what a token is, by linear maps that have not seen it?
 * Tokens are divided into SUCCESSOR_FOLDS; each fold is classified by maps fitted to the others
 * (ridge.h).  Words of one index are in different folds.
 *   x [tokens of all classes, in order, width]  in */
enum { SUCCESSOR_FOLDS = 5 };

struct successor_decoding {
    int64_t tokens;             /* of all classes */
    int64_t class_right;        /* tokens whose class is recognised */
    int64_t indices;            /* tokens whose index is that of a token in another fold */
    int64_t index_right;        /* those whose index is recognised */
};

void successor_decode(struct successor_decoding *result, const struct ordinals *ordinals,
                      const float *x, int32_t width);

#endif
