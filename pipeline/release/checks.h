/* checks.h -- check that a release is complete and unchanged.
 *
 * Its files must be those of SHA256SUMS, manifest and folders must have the same autoencoders, and
 * both forms of every autoencoder must load and hold the same numbers.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "base/run.h"

#include <jansson.h>

/* Compare the folder with its SHA256SUMS.  Prints a line for each file that is missing, not listed,
 * or changed.
 *   bytes  out: of all files
 * Collective.  E_FORMAT if there is any such file; E_IO. */
enum status checks_sums(struct run *run, const char *folder, int64_t *bytes);

/* Read manifest.json, and check that the release has a folder for each autoencoder in it, and no
 * other params.npz.  Caller frees *manifest (json_decref()).
 * Collective.  E_FORMAT, E_IO. */
enum status checks_manifest(json_t **manifest, struct run *run, const char *folder);

/* Load both forms of every autoencoder, its config and its scores, and check that all numbers agree
 * and that the folder is named after the L0.  The reason is the first difference.
 * Collective.  E_FORMAT, E_NUMERIC, E_IO. */
enum status checks_autoencoders(struct run *run, const char *folder, const json_t *manifest);

#endif
