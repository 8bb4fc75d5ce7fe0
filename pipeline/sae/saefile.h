/* saefile.h -- read a trained autoencoder from disk (FORMATS.md, "Autoencoder").
 *
 * train/publish.h writes it.
 */
#ifndef SAEFILE_H
#define SAEFILE_H

#include "sae/sae.h"

#define SAEFILE_FORMAT "saemill autoencoder"
enum { SAEFILE_VERSION = 2 };

/* Read it and fold the scales into the parameters, so that it takes raw activations.  On failure
 * `sae` is empty.  Local.  E_IO, E_FORMAT, E_SPACE. */
enum status saefile_read(struct sae *sae, const char *path);

#endif
