/* scores.h -- what an autoencoder is worth: sums over text, and the scores computed from them.
 *
 * All averages are over the whole text: sums in double, divided once at the end.  Sums are
 * kept by position in the sequence, in spans that double: 0-1, 2-3, 4-7, 8-15, ...
 *
 * FORMATS.md, "Scores", defines every score.
 */
#ifndef SCORES_H
#define SCORES_H

#include "shard/identity.h"
#include "suite/site.h"

#include <jansson.h>
#include <stdint.h>

/* What is summed for the model alone.  A prediction is a token that has a next one which is
 * not padding; a row of text is a token that is not BOS, EOS or padding. */
enum {
    MODEL_ROWS,         /* rows of text */
    MODEL_PREDICTIONS,
    MODEL_LOSS,         /* over predictions, nats: of the model as it is, ... */
    MODEL_LOSS_ZERO,    /* ... with the site's rows of text set to 0, ... */
    MODEL_LOSS_MEAN,    /* ... and set to their mean over the text */
    MODEL_VARIANCE,     /* |x - mean|^2 over rows of text */
    MODEL_SUMS
};

/* What is summed for each autoencoder, over rows of text but for the loss. */
enum {
    SAE_LOSS,           /* over predictions, with y in place of x */
    SAE_KL,             /* KL(model || spliced) */
    SAE_L0,
    SAE_L1,
    SAE_ERROR,          /* |x - y|^2 */
    SAE_Y_SQUARE,       /* |y|^2 */
    SAE_DOT,            /* x . y */
    SAE_COSINE,         /* of x and y */
    SAE_L2_RATIO,       /* |y| / |x| */
    SAE_SUMS
};

/* The sums of one tap and some autoencoders there; one array, so that ranks can add it. */
struct score_sums {
    int64_t  context;
    int      spans;     /* of positions */
    int      saes;
    int64_t  count;     /* of values */
    double  *values;    /* [spans, MODEL_SUMS + saes * SAE_SUMS] */
};

/* Room for sums, all zero.  Local.  scores_sums_free() accepts an empty one. */
void scores_sums_make(struct score_sums *sums, int64_t context, int saes);
void scores_sums_free(struct score_sums *sums);

/* The span of a position. */
int scores_sums_span(int64_t position);

/* Sums of the model [MODEL_SUMS], and of one autoencoder [SAE_SUMS], in a span. */
double *scores_sums_of_model(const struct score_sums *sums, int span);
double *scores_sums_of_sae(const struct score_sums *sums, int span, int sae);

/* The scores of autoencoder number `sae` at `tap`.
 *   fired  [latents]  rows of text on which each latent was active
 * Caller frees (json_decref).  A score that is not finite is null. */
json_t *scores_json(const struct score_sums *sums, int sae, struct tap tap,
                    const int64_t *fired, int32_t latents);

/* Add the members `place` and `identity`; refuse the scores of the file `path` if theirs are others
 * than `wanted`.  Local.  E_USAGE, E_FORMAT. */
void        scores_tell_identity(json_t *scores, const struct identity *identity);
enum status scores_check_identity(const json_t *scores, const char *path,
                                  const struct identity *wanted);

/* Their text: keys sorted, then a checksum (base/checksum.h), so that the same scores are the same
 * bytes.  Caller frees.  Local. */
char *scores_text(const json_t *scores);

/* Write that text to `path`.  Local.  E_IO, E_SPACE. */
enum status scores_write(const json_t *scores, const char *path);

/* Read scores and check their checksum.  Caller frees (json_decref()).  Local.  E_IO, E_FORMAT. */
enum status scores_read(json_t **scores, const char *path);

#endif
