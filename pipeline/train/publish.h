/* publish.h -- what training leaves: an autoencoder's file (FORMATS.md, "Autoencoder").
 * sae/saefile.h reads it.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "step/step.h"
#include "suite/site.h"

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
 * Collective.  E_IO, E_SPACE. */
enum status publish_sae(const struct training *training, const struct sae_origin *origin,
                        const char *path);

#endif
