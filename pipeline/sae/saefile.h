/* saefile.h -- read a trained autoencoder from disk (FORMATS.md, "Autoencoder").
 *
 * train/publish.h writes it.
 */
#ifndef SAEFILE_H
#define SAEFILE_H

#include "sae/sae.h"
#include "shard/identity.h"

#define SAEFILE_FORMAT "saemill autoencoder"
enum { SAEFILE_VERSION = 3 };

/* Read it and fold the scales into the parameters, so that it takes raw activations.  On failure
 * `sae` is empty.  Local.  E_IO, E_FORMAT, E_SPACE. */
enum status saefile_read(struct sae *sae, const char *path);

/* Refuse a file that is another autoencoder than belongs there.  Local.  E_USAGE, E_FORMAT,
 * E_IO. */
enum status saefile_check(const char *path, const struct identity *wanted);

#endif
