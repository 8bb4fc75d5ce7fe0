/* saefile.h -- a trained autoencoder on disk: FORMATS.md, "Autoencoder". */
#ifndef SAEFILE_H
#define SAEFILE_H

#include "base/site.h"
#include "sae/sae.h"
#include "sae/step.h"

/* Where an autoencoder comes from and what its last batch saw. */
struct sae_origin {
    struct tap  tap;
    struct tap  target;         /* the same, but for a transcoder */
    double      scale;          /* training saw row / scale */
    double      target_scale;   /* and was to give target / target_scale */
    double      variance;       /* of the target, in normalised units */
    int64_t     rows;           /* trained on */
    const char *suite;          /* text of the effective suite */
    struct step_report last;
};

/* Write it whole and publish it: weights as trained, that is for row / scale, vectors as they
 * count when training is over.  The same bytes of data for any number of ranks.
 * Collective.  E_IO, E_ROOM. */
enum status sae_write_h5(const struct training *training, const struct sae_origin *origin,
                         const char *path);

/* Read it for raw activations: the scales are folded into the parameters.  Fills `sae`, which
 * is empty on failure.  Local.  E_IO, E_FORMAT. */
enum status sae_read_h5(struct sae *sae, const char *path);

#endif
