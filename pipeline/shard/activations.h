/* activations.h -- activation shards: rows of one stream, each with its origin.
 *
 * FORMATS.md, "Activation shard".  Harvest and shuffle write them (activation_writer.h),
 * shuffle and train read them.
 */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H

#include "shard/chunk_reader.h"
#include "shard/shards.h"
#include "shard/statistics.h"

/* The data sets that have a row for each token. */
enum { ACTIVATION_VALUES, ACTIVATION_DOCUMENT, ACTIVATION_POSITION, ACTIVATION_TOKEN,
       ACTIVATION_SETS };

/* A stream on disk: its shards in order, as one long array of rows. */
struct activations {
    struct stream         stream;
    struct row_statistics statistics;   /* of all shards together, added in shard order */
    struct row_digest     source;       /* of a shuffled stream: of the input; else no rows */
    struct shards         shards;
    int64_t              *before;       /* [shards.count + 1] rows in the shards before each */
    struct chunk_reader         sets[ACTIVATION_SETS];    /* of the shard that is open */
};

/* Read the headers of all shards.  `paths` is copied.  Local.  E_IO, E_FORMAT (unknown
 * version, shards of different streams, not ours; of a shuffled stream: they do not have the
 * rows that were shuffled). */
enum status activations_open(struct activations *activations, char (*paths)[PATH_LENGTH],
                             int shards);

/* The same for all shards of a folder: 00000.h5, 00001.h5, ...  E_USAGE if there are none. */
enum status activations_open_folder(struct activations *activations, const char *folder);

void        activations_close(struct activations *activations);

/* Close the shard that was read last and give back its memory, until the next read.  Local. */
void activations_rest(struct activations *activations);

/* Read rows `range` of the stream.  Cheapest when it covers whole chunks of the shards.
 *   values   [range, width]   out, in the stream's store
 *   origins  [range]          out, or NULL
 * Local.  May be called while other threads are in HDF5 or read other streams.  E_IO,
 * E_FORMAT (a chunk whose checksum differs: names file and rows). */
enum status activations_read(struct activations *activations, struct range range,
                             void *values, struct row_origin *origins);

/* The same with values and origins of a row every `stride` bytes. */
enum status activations_read_apart(struct activations *activations, struct range range,
                                   void *values, struct row_origin *origins, int64_t stride);

#endif
