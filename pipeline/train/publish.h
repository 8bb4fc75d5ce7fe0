/* publish.h -- write the file of a trained autoencoder (FORMATS.md, "Autoencoder").
 *
 * sae/saefile.h reads it.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "shard/identity.h"
#include "step/step.h"
#include "suite/site.h"

/* What the file says of an autoencoder beyond its training's state. */
struct sae_origin {
    struct tap  tap;
    struct tap  target;         /* the same, but for a transcoder */
    double      scale;          /* the encoder saw row / scale */
    double      target_scale;   /* the decoder gave target / target_scale */
    double      variance;       /* of the target, in normalised units */
    int64_t     rows;           /* trained on */
    const struct identity *identity;
    struct step_report last;    /* of the last step */
};

/* Write and publish the file: weights as trained, that is for row / scale, and the vectors that
 * inference takes.  The data are the same bytes for any number of ranks.
 * Collective.  E_IO, E_SPACE. */
enum status publish_sae(const struct training *training, const struct sae_origin *origin,
                        const char *path);

#endif
