/* manifest.h -- manifest.json: the inputs and programs that a release was made from.
 *
 * FORMATS.md, "Release".  It has no date, no path of the run and no number of ranks, so the same
 * inputs give the same bytes.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "lm/config.h"
#include "release/entries.h"
#include "sae/saelens.h"

enum { MANIFEST_VERSION = 2 };

/* Hash the model, the tokenizer and the corpus, ask the libraries for their versions, and make the
 * manifest on every rank.  Caller frees it (json_decref()).
 * Collective.  E_IO, E_FORMAT, E_USAGE. */
enum status manifest_make(json_t **manifest, MPI_Comm comm, const struct suite *suite,
                          const struct lm_config *model, const struct entries *entries);

/* Its list of autoencoders.  Caller frees (json_decref()).  Local. */
json_t *manifest_autoencoders(const struct entries *entries);

/* Its text; caller frees.  manifest_write() writes it.  Local.  E_IO, E_SPACE. */
char *manifest_text(const json_t *manifest);
enum status manifest_write(const json_t *manifest, const char *path);

/* Read the suite of the release in `folder` from its manifest; its key `run` becomes the folder
 * that holds the release.  Local.  E_FORMAT, E_USAGE. */
enum status manifest_suite(struct suite *suite, const char *folder, const json_t *manifest);

/* Where the rows of an autoencoder are from, as the manifest says.  It owns the model's name.
 * Local.  E_FORMAT. */
enum status manifest_origin(struct saelens_origin *origin, const json_t *manifest,
                            const struct entry *entry);

#endif
