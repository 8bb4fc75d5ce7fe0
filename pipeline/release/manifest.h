/* manifest.h -- manifest.json: the inputs and programs that a release was made from.
 *
 * FORMATS.md, "Release".  It has no date, no path of the run and no number of ranks, so the same
 * inputs give the same bytes.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "release/entries.h"

/* Hash the model, the tokenizer and the corpus, ask the libraries for their versions, and make the
 * manifest on every rank.  Caller frees it (json_decref()).
 *   layers  of the model
 * Collective.  E_IO, E_FORMAT, E_USAGE. */
enum status manifest_make(json_t **manifest, MPI_Comm comm, const struct suite *suite,
                          int layers, const struct entries *entries);

/* Write a manifest.  Local.  E_IO, E_SPACE. */
enum status manifest_write(const json_t *manifest, const char *path);

/* Read the suite of the release in `folder` from its manifest; its key `run` becomes the folder
 * that holds the release.  Local.  E_FORMAT, E_USAGE. */
enum status manifest_suite(struct suite *suite, const char *folder, const json_t *manifest);

/* The name of the model: the last part of its path. */
void manifest_model_name(char name[256], const struct suite *suite);

#endif
