/* unembedding.h -- the direction of each token in the last residual stream.
 *
 * With the size of the last norm given, a logit is the dot product of the stream with the token's
 * direction, over that size.  The norm's scale is folded in; where the norm subtracts the mean of a
 * row, the direction has none.  Centred directions also lack their mean over all tokens, which
 * moves all logits alike.  Everything here is Local.
 */
#ifndef UNEMBEDDING_H
#define UNEMBEDDING_H

#include "lm/weights.h"

struct unembedding {
    int32_t tokens, width;
    float  *direction;      /* [tokens, width] */
    float  *mean;           /* [width] over all tokens, if that was subtracted; else 0 */
    float  *length;         /* [tokens] norms of the directions */
};

/* E_USAGE unless the weights are in float32 and each logit belongs to a token id. */
enum status unembedding_check(const struct weights *weights);

/* Bytes of the directions.  unembedding_free() accepts an empty one. */
int64_t unembedding_bytes(const struct lm_config *config);
void    unembedding_make(struct unembedding *unembedding, const struct weights *weights,
                         bool centred);
void    unembedding_free(struct unembedding *unembedding);

#endif
