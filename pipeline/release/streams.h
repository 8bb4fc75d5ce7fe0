/* streams.h -- are the rows that were trained on those that were harvested?
 *
 * Every shard holds the sum of a hash of each of its rows; one that shuffle made also that of
 * the whole stream as it was harvested (FORMATS.md, "Activation shard").  The sums do not depend
 * on the order of the rows, so those of both sides must agree.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "base/run.h"

#include <jansson.h>

/* Compare the sums of each stream that the release's autoencoders were trained on, or rebuild,
 * where its shuffled rows lie in the run folder beside the release: with what its shards say
 * was shuffled and, if they are there too, with those of the harvested shards.  Reads no rows.
 * Says how many streams were compared.
 *   folder  of the release
 * Collective.  E_FORMAT if a stream has other rows; E_IO. */
enum status streams_verify(struct run *run, const char *folder, const json_t *manifest);

#endif
