/* clamped_runs.h -- run the model over prompts with latents of a site clamped, or as it is.
 *
 * Blocks of prompts are divided among the ranks.  A block has the same shape on any number of them,
 * and sums are taken in the order of blocks, so all results have the same bits.  Rows of BOS are
 * left alone and are not counted: autoencoders are not trained on them.  So are the rows of padding
 * after a prompt.
 */
#ifndef CLAMPED_RUNS_H
#define CLAMPED_RUNS_H

#include "base/run.h"
#include "intervene/clamp.h"
#include "lm/forward.h"
#include "lm/head.h"
#include "prompts/prompts.h"

struct clamped_runs {
    struct run       *run;
    const struct sae *sae;      /* of the tap; no transcoder */
    struct tap        tap;
    int32_t           bos;
    int64_t           block;    /* prompts of a forward pass */
    struct forward    forward;
    struct head       head;
    int64_t *at;                /* [block * tokens] the rows that count */
    int32_t *next;              /* [block * tokens] the id that follows, or -1 */
    float   *loss;              /* [block * tokens] */
    float   *x, *f;             /* [tile, width of the site], [tile, latents] of a tile of them */
    float   *last;              /* [tile, width] streams where prompts end */
};

/* What a clamped_runs is made for. */
struct clamped_runs_setup {
    struct run           *run;
    const struct weights *weights;      /* in float32 */
    const struct sae     *sae;
    struct tap            tap;
    int32_t               bos;
    int64_t               block;
    int64_t               tokens;       /* of the longest prompt */
};

/* Bytes that clamped_runs_make() allocates with `threads` threads, of an autoencoder with `latents`
 * latents.  Local. */
int64_t clamped_runs_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                           int64_t tokens, int threads);

/* Make it for prompts of one table; what the setup points to must stay.  clamped_runs_free()
 * accepts an empty one.  Local. */
void clamped_runs_make(struct clamped_runs *runs, const struct clamped_runs_setup *setup);
void clamped_runs_free(struct clamped_runs *runs);

/* In how many rows is each latent active?
 *   fired [latents]  out
 *   rows             out: rows that count
 * Collective, as those below, and as they it returns what forward_start() does, or E_STOPPED. */
enum status clamped_runs_firing(struct clamped_runs *runs, const struct prompts *prompts,
                                double *fired, double *rows);

/* The mean of the rows that count.
 *   mean [width of the site]  out
 * E_USAGE if there are none. */
enum status clamped_runs_mean(struct clamped_runs *runs, const struct prompts *prompts,
                              double *mean);

/* The mean loss of all tokens that follow another one, in nats.
 *   clamp  NULL: the model as it is
 * E_USAGE if no prompt has two tokens. */
enum status clamped_runs_loss(struct clamped_runs *runs, const struct prompts *prompts,
                              const struct clamp *clamp, double *loss);

/* Which prompts does the model answer right?  Where a prompt ends, the largest logit of its answers
 * is above the largest of its wrong ones.
 *   right [prompts]  out: 1 or 0
 *   clamp            NULL: the model as it is */
enum status clamped_runs_answers(struct clamped_runs *runs, const struct prompts *prompts,
                                 const struct clamp *clamp, double *right);

#endif
