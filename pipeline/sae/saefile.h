/* saefile.h -- read a trained autoencoder from disk (FORMATS.md, "Autoencoder").
 *
 * train/publish.h writes it.
 */
#ifndef SAEFILE_H
#define SAEFILE_H

#include "sae/sae.h"
#include "suite/tasks.h"

#define SAEFILE_FORMAT "saemill autoencoder"
enum { SAEFILE_VERSION = 2 };

/* Read it and fold the scales into the parameters, so that it takes raw activations.  On failure
 * `sae` is empty.  Local.  E_IO, E_FORMAT, E_SPACE. */
enum status saefile_read(struct sae *sae, const char *path);

/* Refuse a file that is not the autoencoder `task` of the stream `tap`, by its site, layer, target,
 * architecture and width, or that was made with another suite than the one of this text
 * (ownership_check_made()).  Local.  E_FORMAT, E_IO. */
enum status saefile_check_place(const char *path, struct tap tap, const struct sae_task *task,
                                const char *suite);

#endif
