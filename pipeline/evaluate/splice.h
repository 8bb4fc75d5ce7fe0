/* splice.h -- run the model on a block of text with a site's rows replaced, and sum up how
 * that goes.  What replaces them is made from the same rows, or, by a transcoder, from those
 * of a site that the model comes to before.
 *
 * The layers below the site are computed once; from there the model goes on as it is, with
 * the rows set to 0, with the rows set to their mean, and once for each autoencoder.  Rows
 * of BOS, EOS and padding are never replaced and never counted.
 *
 * The sums of a block depend on the block alone, not on the number of threads.  Everything
 * here is Local.
 */
#ifndef SPLICE_H
#define SPLICE_H

#include "evaluate/scores.h"
#include "lm/forward.h"
#include "lm/head.h"
#include "sae/sae.h"
#include "shard/tokens.h"

/* What the site's rows of text become. */
enum { RUN_AS_IT_IS, RUN_ZERO, RUN_MEAN, RUN_SAES };

/* What a splice is made for. */
struct splice_capacity {
    int64_t sequences, context;     /* of a block */
    int     saes;                   /* at once */
    int32_t latents;                /* of the widest */
    bool    transcoders;
};

/* Where autoencoders are spliced in: they read rows of one tap and replace those of another,
 * which is the same, or for transcoders lies ahead. */
struct splice_place {
    struct tap read, replaced;
};

struct splice {
    struct forward forward;
    struct head    head;
    struct special_tokens special;
    int            saes;        /* autoencoders at once, at most */
    int32_t        latents;     /* of the widest */
    /* The present block. */
    int64_t  texts;             /* rows of text */
    int64_t *text;              /* [texts] which rows these are */
    int32_t *next;              /* [rows] id to be predicted, or -1 */
    float   *read;              /* [texts, width of the site that transcoders read], or NULL */
    float   *streams;           /* [RUN_SAES + saes, rows, width] last residual streams */
    float   *losses;            /* [RUN_SAES + saes, rows] */
    float   *kls;               /* [saes, rows] */
    struct forward_state kept;  /* the cursor at the tap that is scored */
    /* A tile of rows of text. */
    float   *x, *y;             /* [tile, width of the site] */
    float   *f;                 /* [tile, latents] */
    double  *l0, *l1;           /* [tile] */
    struct fidelity *fidelity;  /* [tile] */
};

/* Bytes that splice_make() will allocate, and splice_score() for the kept cursor, with
 * `threads` threads. */
int64_t splice_bytes(const struct lm_config *config, enum precision precision,
                     const struct splice_capacity *capacity, int threads);

/* splice_free() accepts an empty one. */
void splice_make(struct splice *splice, const struct weights *weights,
                 struct special_tokens special, const struct splice_capacity *capacity);
void splice_free(struct splice *splice);

/* Take up a block.  As forward_start(). */
enum status splice_start(struct splice *splice, const int32_t *ids, int64_t sequences);

/* Go on to a tap, which lies ahead, and add its rows of text.
 *   sum  [width of the site]  in and out: for the mean */
void splice_add_rows(struct splice *splice, struct tap tap, double *sum);

/* Add what the present block says of some autoencoders at a place, which lies ahead; the block
 * is used up then.  E_FORMAT if an autoencoder is not made for these sites.
 *   sums   in and out, of at least `count` autoencoders
 *   fired  [count][latents]     in and out: rows on which each latent was active
 *   mean   [width of the replaced site]  in: of all rows of text */
enum status splice_score(struct splice *splice, struct score_sums *sums, int64_t **fired,
                         struct splice_place place, const float *mean,
                         const struct sae *saes, int count);

#endif
