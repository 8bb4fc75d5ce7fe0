/* remake.h -- check that a release holds what release would write, and nothing else.
 *
 * Params, scores and manifest say all that is in the other files, so these are made again and
 * compared, byte by byte: sums that were made again after a change do not hide it.
 */
#ifndef REMAKE_H
#define REMAKE_H

#include "base/run.h"

#include <jansson.h>

/* Make again, from params.npz, scores.json and manifest.json: the manifest's list of
 * autoencoders, their folders, cfg.json, the header of sae_weights.safetensors, scores.tsv and
 * index.html.  Plots are not drawn again; each must be SVG that loads and runs nothing.  If the
 * run's scores are next to the release, those in it must be the same.  index.html is compared
 * if this program is the one that made the release, as another may word it in another way; a
 * note says so.
 * Collective.  E_FORMAT at the first difference; E_IO, E_USAGE. */
enum status remake_compare(struct run *run, const char *folder, const json_t *manifest);

#endif
