/* activations.h -- activation shards: rows of one stream, each with its origin.
 *
 * FORMATS.md, "Activation shard".  Harvest and shuffle write them, shuffle and train read
 * them.  A shard is written by all ranks through parallel HDF5, each compressing its own
 * chunks; what is in it depends on the rows alone, not on the number of ranks.
 */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H

#include "base/file.h"
#include "base/site.h"
#include "base/split.h"
#include "shard/h5.h"

/* Rows of a chunk: the unit of compression, of checksums and of writing. */
enum { CHUNK_ROWS = 512 };

/* Where one row comes from; travels with it through the shuffle. */
struct row_origin {
    int64_t document;   /* corpus file number << 32 | document number in it */
    int32_t position;   /* of the token in its document */
    int32_t token;      /* id */
};

/* What every shard of a stream agrees on. */
struct stream {
    struct tap tap;
    int32_t    width;           /* values of a row */
    enum store store;
};

/* What is known of some rows without reading them. */
struct row_statistics {
    int64_t  rows;
    double   sum_squares;       /* of all values: rows * mean squared norm */
    double  *sum;               /* [width] */
    uint64_t hash;              /* sum modulo 2^64 of a hash of each row and its origin: the
                                   same for the same rows in any order */
};

/* A shard being written to PATH.part (or, in a folder that is published as a whole, to
 * PATH itself: the writer does not rename). */
struct activation_writer {
    struct stream         stream;
    int64_t               rows;         /* in all; known from the start */
    MPI_Comm              comm;
    char                  path[PATH_LENGTH];
    hid_t                 file, values, documents, positions, tokens;
    struct row_statistics statistics;   /* of the chunks written so far, in chunk order */
};

/* Create a shard of `rows` rows.  `suite` is the text of the effective suite.
 * Collective over comm.  E_IO, E_ROOM. */
enum status activation_create(struct activation_writer *writer, MPI_Comm comm, const char *path,
                              struct stream stream, int64_t rows, const char *suite);

/* Write rows `range` of the shard: every rank brings its own, which start at a multiple of
 * CHUNK_ROWS and end at one or at the shard's end, so that each chunk is written once, by
 * one rank.  A rank may bring none (first == end).  Over all calls chunks come in order:
 * no call brings a chunk below those of the call before.
 *   values   [range, width]   in the stream's store
 *   origins  [range]
 * Collective.  E_IO, E_ROOM; E_NUMERIC if a value is not finite. */
enum status activation_write(struct activation_writer *writer, struct range range,
                             const void *values, const struct row_origin *origins);

/* Write the statistics and close.  Accepts a writer that was never created.  With `st`
 * other than OK only closes, and returns st.  Collective. */
enum status activation_close(struct activation_writer *writer, enum status st);

/* A stream on disk: its shards in order, as one long array of rows. */
struct activations {
    struct stream         stream;
    struct row_statistics statistics;   /* of all shards together, added in shard order */
    int                   shards;
    char                (*paths)[PATH_LENGTH];
    int64_t              *before;       /* [shards + 1] rows in the shards before each */
    int                   open;         /* the shard whose file is open, or -1 */
    hid_t                 file;
};

/* Read the headers of all shards.  `paths` is copied.  Local.  E_IO, E_FORMAT (unknown
 * version, shards of different streams, not ours). */
enum status activations_open(struct activations *activations, char (*paths)[PATH_LENGTH],
                             int shards);
void        activations_close(struct activations *activations);

/* Read rows `range` of the stream.  Cheapest when it covers whole chunks of the shards.
 *   values   [range, width]   out, in the stream's store
 *   origins  [range]          out, or NULL
 * Local.  E_IO, E_FORMAT (a chunk whose checksum differs: names file and rows). */
enum status activations_read(struct activations *activations, struct range range,
                             void *values, struct row_origin *origins);

#endif
