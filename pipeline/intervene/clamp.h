/* clamp.h -- chosen latents change the rows of a site along their decoder rows.
 *
 * After Farrell, Lau, Conmy, arXiv:2410.19278, section 2: a row is the sum of its latents and an
 * error (sae/latent_nodes.h), and the error stays.  With d the decoder row of a latent, f its value
 * and s the strength, a row in which the latent is active becomes
 *
 *   CLAMP_VALUE        x + (-s - f) d           its value is -s, whatever it was
 *   CLAMP_SCALE        x - s f d                its value is (1 - s) f
 *   CLAMP_PROJECTION   x - s (x . d / d . d) d  of the row's own part along d, 1 - s stays
 *
 * A row in which no chosen latent is active keeps its bits.  Steering changes every row, whether
 * the latent is active or not:
 *
 *   CLAMP_STEER            x - s d / |d|
 *   CLAMP_MEAN_DIFFERENCE  the same, but d is the mean of some rows less the mean of others
 *
 * Several latents change a row one after the other, in the order in which they are given.
 * Everything here is Local, and the bits of a row depend on that row alone.
 */
#ifndef CLAMP_H
#define CLAMP_H

#include "sae/sae.h"
#include "suite/keys.h"

#include <stdbool.h>

struct clamp {
    enum clamp_kind   kind;
    double            strength;     /* s */
    const struct sae *sae;          /* no transcoder.  Not owned, as the latents are not.  With
                                       CLAMP_MEAN_DIFFERENCE its one decoder row is d */
    const int32_t    *latents;      /* [count] each once */
    int32_t           count;
};

/* "value", "scale", ...: the word of the suite file. */
const char *clamp_name(enum clamp_kind kind);

/* Does it change all rows, so that it does not depend on the latents' values? */
bool clamp_steers(enum clamp_kind kind);

/* Change some rows.
 *   x  [rows, inputs]   in and out
 *   f  [rows, latents]  in: sae_encode() of these rows; not read if the clamp steers */
void clamp_rows(const struct clamp *clamp, float *x, const float *f, int64_t rows);

#endif
