/* steered_runs.h -- run the model over texts with a vector added to each row of the residual stream
 * at one place, or as it is.
 *
 * The rows where vectors are added can be kept, so that the layers below are computed once, however
 * many vectors there are.  A vector is added to all rows.  Rows of BOS are not counted, as
 * autoencoders are not trained on them, nor is what follows a text.  Blocks of texts have a fixed
 * shape and sums are taken in their order; one rank does all of it for its vectors, so results have
 * the same bits on any number of ranks.  Everything here is Local.
 */
#ifndef STEERED_RUNS_H
#define STEERED_RUNS_H

#include "lm/forward.h"
#include "lm/head.h"
#include "prompts/prompts.h"
#include "sae/sae.h"

/* What steered_runs are made for; all that it points to must stay. */
struct steered_runs_setup {
    const struct weights *weights;      /* in float32 */
    const struct prompts *texts;
    const struct sae     *sae;          /* of `read`; no transcoder */
    struct tap            tap;          /* where vectors are added */
    struct tap            read;         /* where latents are read: there, or further up */
    int32_t               bos;
    int64_t               block;        /* texts of a forward pass */
};

struct steered_runs {
    struct steered_runs_setup setup;
    struct forward forward;
    struct head    head;
    struct forward_state *states;   /* [blocks] rows that are kept; NULL: none are */
    int64_t  blocks;
    int64_t *at;                /* [block * tokens] the rows that count */
    int64_t  count;             /* of them */
    int32_t *next;              /* [block * tokens] the id that follows, or -1 */
    float   *loss;              /* [block * tokens] */
    float   *x, *f;             /* [tile, width], [tile, latents] of a tile of rows */
    double  *sums;              /* [wider of both] */
};

/* A vector that is added; scale 0: none is. */
struct steering {
    const float *vector;        /* [width] of norm 1 */
    double       scale;
};

/* Add it to all rows of the site where the cursor stands, the residual stream. */
void steered_runs_add(struct forward *forward, struct steering steering);

/* Bytes that steered_runs_make() allocates with `threads` threads, for texts of up to `tokens`
 * tokens; and steered_runs_keep() for this number of texts. */
int64_t steered_runs_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                           int64_t tokens, int threads);
int64_t steered_runs_kept_bytes(const struct lm_config *config, int64_t texts, int64_t block,
                                int64_t tokens);

/* Make them.  steered_runs_free() accepts empty ones. */
void steered_runs_make(struct steered_runs *runs, const struct steered_runs_setup *setup);
void steered_runs_free(struct steered_runs *runs);

/* Keep the rows of all texts, which must not change from now on.  As forward_start(), as all below
 * are. */
enum status steered_runs_keep(struct steered_runs *runs);

/* The mean row where vectors are added, and the mean of the rows' norms.
 *   mean [width]  out
 * E_USAGE if no row counts. */
enum status steered_runs_rows(struct steered_runs *runs, double *mean, double *norm);

/* The mean loss of all tokens that follow another one, in nats.  E_USAGE if none does. */
enum status steered_runs_loss(struct steered_runs *runs, struct steering steering, double *loss);

/* The mean of each latent over the rows.
 *   mean [latents]  out
 * E_USAGE if no row counts. */
enum status steered_runs_latents(struct steered_runs *runs, struct steering steering,
                                 double *mean);

#endif
