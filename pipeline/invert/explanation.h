/* explanation.h -- what the best search of an inversion found, next to what the model has.
 *
 * Latents are in the units of their autoencoder.  Everything here is Local.
 */
#ifndef EXPLANATION_H
#define EXPLANATION_H

#include "invert/restarts.h"
#include "invert/things.h"

enum { EXPLANATION_STRONGEST = 20 };

/* One way to make a row from latents. */
struct explanation_code {
    double  error;          /* |row made - row| / |row| */
    int32_t l0;             /* latents that count */
};

struct explanation {
    const struct inversion *inversion;
    const struct restarts  *restarts;
    const struct thing     *thing;
    const double *z, *w;            /* of the best search; w [inputs of G] */
    double *generated;              /* [outputs of G] G(w) */
    double *explained;              /* [outputs of A] A G(w) */
    double  error;                  /* |A G(w) - y| / |y| */
    double  gap;                    /* |M(z) - w| / |w|, M(z) once for each copy */
    double  z_norm, w_norm;
    /* Of a decoder, by the whole row: the w found, where latents above 1 % of the largest count,
     * signs aside; and the encoder's latents, where the active ones count. */
    struct explanation_code found, encoded;
    int32_t strongest[EXPLANATION_STRONGEST];   /* latents, by the larger of both values */
    int32_t strongest_count;        /* 0: not a decoder */
    double  cosine;                 /* of an MLP: between w and what the MLP reads; otherwise NaN */
};

/* Fill it from a finished inversion.  What it points to must stay.  explanation_free() accepts an
 * empty one. */
void explanation_make(struct explanation *explanation, const struct inversion *inversion,
                      const struct restarts *restarts, const struct thing *thing,
                      const struct inversion_source *source);
void explanation_free(struct explanation *explanation);

/* Latent number `latent` as it was found. */
double explanation_latent(const struct explanation *explanation, int32_t latent);

/* Bytes that explanation_make() allocates. */
int64_t explanation_bytes(const struct inversion_setup *setup);

#endif
