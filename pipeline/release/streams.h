/* streams.h -- check that the autoencoders were trained on the rows that were harvested.
 *
 * Every shard has a hash of its rows, and a shuffled shard also that of the whole stream as it was
 * harvested (FORMATS.md, "Activation shard").  A hash is a sum over the rows and does not depend on
 * their order, so those of both sides must agree.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "base/run.h"

#include <jansson.h>

/* Check each stream that the release's autoencoders read or reconstruct and whose shuffled shards
 * are in the run folder, next to the release.  Its hash must be that of the shuffle's input and, if
 * the harvested shards are there, too, that of these.  Reads no rows.  Prints the number of streams
 * compared.
 *   folder  of the release
 * Collective.  E_FORMAT if a stream has other rows; E_IO. */
enum status streams_verify(struct run *run, const char *folder, const json_t *manifest);

#endif
