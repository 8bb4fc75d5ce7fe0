/* activations.h -- activation shards: rows of one stream, each with its origin.
 *
 * FORMATS.md, "Activation shard".  Harvest and shuffle write them (activation_writer.h),
 * shuffle and train read them.
 */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H

#include "shard/chunk_reader.h"
#include "shard/identity.h"
#include "shard/shards.h"
#include "shard/statistics.h"

/* The data sets of a shard that have one entry for each row. */
enum { ACTIVATION_VALUES, ACTIVATION_DOCUMENT, ACTIVATION_POSITION, ACTIVATION_TOKEN,
       ACTIVATION_SETS };

/* A stream on disk: its shards in order, read as one array of rows. */
struct activations {
    struct stream         stream;
    struct row_statistics statistics;   /* of all shards together, added in shard order */
    struct row_digest     source;       /* of a shuffled stream: its input; else no rows */
    struct shards         shards;
    int64_t              *before;       /* [shards.count + 1] rows in earlier shards */
    struct chunk_reader   sets[ACTIVATION_SETS];    /* of the shard that is open */
};

/* Read the headers of all shards.
 *   paths       [shards]  is copied
 *   identities  [shards]  that they must have; NULL: any
 * Local.  E_IO, E_FORMAT (not our format, an unknown version, shards of different streams; shards
 * of a shuffled stream that do not hold the rows it was made from), E_USAGE (another identity). */
enum status activations_open(struct activations *activations, char (*paths)[PATH_LENGTH],
                             const struct identity *identities, int shards);

/* The same for all shards of a folder, which has this identity: 00000.h5, 00001.h5, ...  E_USAGE if
 * there are none. */
enum status activations_open_folder(struct activations *activations, const char *folder,
                                    const struct identity *identity);

void        activations_close(struct activations *activations);

/* Close the shard that was read last and free its memory.  The next read opens it again.  Local. */
void activations_rest(struct activations *activations);

/* Read rows `range` of the stream; cheapest if they are whole chunks of the shards.
 *   values   [range, width]   out, in the stream's store
 *   origins  [range]          out, or NULL
 * Local.  Other threads may call HDF5 or read other streams at the same time.  E_IO, E_FORMAT (a
 * chunk whose checksum differs: names file and rows). */
enum status activations_read(struct activations *activations, struct range range,
                             void *values, struct row_origin *origins);

/* The same, where the values of consecutive rows are `stride` bytes apart, and so are the
 * origins. */
enum status activations_read_apart(struct activations *activations, struct range range,
                                   void *values, struct row_origin *origins, int64_t stride);

#endif
