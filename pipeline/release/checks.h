/* checks.h -- is a release what it says?
 *
 * Three questions, each answered in words for every difference found: are the files those of
 * SHA256SUMS, do both forms of every autoencoder load and hold the same numbers, and do
 * manifest and folders speak of the same autoencoders.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "base/run.h"

#include <jansson.h>

/* Compare the folder with its SHA256SUMS: prints a line for each file that is missing, not
 * listed, or changed.  *bytes is what was hashed.
 * Collective.  E_FORMAT if there is any such file; E_IO. */
enum status verify_sums(struct run *run, const char *folder, int64_t *bytes);

/* Read manifest.json and check that the release has a folder for each autoencoder named
 * there, and no other params.npz.  Caller: json_decref(*manifest).
 * Collective.  E_FORMAT, E_IO. */
enum status verify_manifest(json_t **manifest, struct run *run, const char *folder);

/* Load both forms of every autoencoder, and its config and scores: are all numbers the same,
 * and is the folder named after its L0?  The first difference is the reason.
 * Collective.  E_FORMAT, E_NUMERIC, E_IO. */
enum status verify_autoencoders(struct run *run, const char *folder, const json_t *manifest);

#endif
