/* score_text.h -- score autoencoders on held-out text, by two passes of the model over it.
 *
 * The first sums up the rows of the sites, for their means.  The second lets the model go on from
 * a site in all the ways that are compared (splice.h).  The scores have the same bits on any number
 * of ranks, and whichever autoencoders are scored together.
 */
#ifndef SCORE_TEXT_H
#define SCORE_TEXT_H

#include "evaluate/held_out.h"
#include "evaluate/splice.h"

/* Means of the rows of text at some taps, which are in the order in which the model comes to them.
 *   mean  [count][width of the site]  out, on every rank
 * Collective.  As held_out_sum(); E_USAGE if the text has no rows. */
enum status score_text_means(struct held_out *text, const struct tap *taps, int count,
                             float *const *mean);

/* Autoencoders of one place that are scored together, and what is found. */
struct scored {
    struct splice_place place;
    const float        *mean;   /* [width of the replaced site] */
    const struct sae   *saes;   /* [count] */
    int                 count;
    struct score_sums   sums;   /* out, over all the text */
    int64_t           **fired;  /* [count][latents] out: rows on which each latent was active */
};

/* Score them.  `sums` and `fired` are made; score_text_free() empties them, after a failure too.
 * Collective.  As held_out_sum() and splice_score(). */
enum status score_text_splice(struct held_out *text, struct scored *scored);
void        score_text_free(struct scored *scored);

#endif
