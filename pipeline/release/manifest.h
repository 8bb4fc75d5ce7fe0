/* manifest.h -- manifest.json: everything a release was made from.
 *
 * FORMATS.md, "Release".  It says nothing of when, where and on how many ranks, so that the
 * same inputs give the same bytes.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "release/entries.h"

/* Hash the model, the tokenizer and the corpus, ask libraries for their versions, and put it
 * all together.  Every rank gets it; json_decref() it.
 *   layers  of the model
 * Collective.  E_IO, E_FORMAT, E_USAGE. */
enum status manifest_make(json_t **manifest, MPI_Comm comm, const struct suite *suite,
                          int layers, const struct entries *entries);

/* Write it.  Local.  E_IO, E_SPACE. */
enum status manifest_write(const json_t *manifest, const char *path);

/* The suite of a release in `folder`, with the run folder in which the release lies.  Local.
 * E_FORMAT, E_USAGE. */
enum status manifest_suite(struct suite *suite, const char *folder, const json_t *manifest);

/* The name of the model: the last part of its path. */
void manifest_model_name(char name[256], const struct suite *suite);

#endif
