/* saefile.h -- a trained autoencoder on disk: FORMATS.md, "Autoencoder".  train/publish.h writes it.
 */
#ifndef SAEFILE_H
#define SAEFILE_H

#include "sae/sae.h"

#define SAEFILE_FORMAT "saemill autoencoder"
enum { SAEFILE_VERSION = 2 };

/* Read it for raw activations: the scales are folded into the parameters.  Fills `sae`, which
 * is empty on failure.  Local.  E_IO, E_FORMAT. */
enum status saefile_read(struct sae *sae, const char *path);

#endif
