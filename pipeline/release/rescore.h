/* rescore.h -- score an autoencoder of a release again, in the run folder it came from.
 *
 * The release knows its suite; the held-out text lies next to it (RUN/tokens), the model where
 * the suite says.  What is scored are the parameters in params.npz, so the whole way from
 * training to the file that others load is covered.
 */
#ifndef RESCORE_H
#define RESCORE_H

#include "base/run.h"

#include <jansson.h>

/* Score autoencoder number `which` of the manifest again and compare with its scores.json:
 * on the kind of CPU that made it every score is the same to the last bit, on another one to
 * a few parts in a million.  Takes as long as evaluate takes for one autoencoder.  Where text
 * or model are not at hand, says so and does nothing.
 *   folder  of the release
 * Collective.  E_NUMERIC if a score differs by more than a ten-thousandth; E_IO, E_FORMAT,
 * E_SPACE. */
enum status rescore(struct run *run, const char *folder, const json_t *manifest, int64_t which);

#endif
