/* provenance.h -- do the token shards of a run belong to the corpus files that there are?
 *
 * A token shard has the number of its file in the list that corpus.files gives.  If a file
 * arrives, goes or is renamed, that list is another one, and a number means another file.  So each
 * shard keeps its file's name, size and a hash of its ends, and all of them are compared at every
 * start. */
#ifndef PROVENANCE_H
#define PROVENANCE_H

#include "corpus/corpus.h"
#include "suite/suite.h"

/* The size of a corpus file, and the XXH3 of its first and last MiB.  Local.  E_IO. */
enum status provenance_of(const char *path, int64_t *bytes, uint64_t *hash);

/* Compare the token shards that exist with the files.  Files may come after those that have
 * shards, until the harvest begins; anything else is refused with the name of the file.  Local.
 * E_USAGE, E_IO, E_FORMAT. */
enum status provenance_check(const struct suite *suite, const struct corpus *corpus);

#endif
