/* activation_writer.h -- write an activation shard (activations.h) by all ranks together.
 *
 * Through parallel HDF5, each rank compressing its own chunks; what is in the shard depends on
 * the rows alone, not on the number of ranks.
 */
#ifndef ACTIVATION_WRITER_H
#define ACTIVATION_WRITER_H

#include "shard/activations.h"

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

/* The most bytes on disk that a shard of `rows` rows can take. */
int64_t activation_writer_bytes(int64_t rows, struct stream stream);

/* Create a shard of `rows` rows.  `suite` is the text of the effective suite.
 * Collective over comm.  E_IO, E_SPACE. */
enum status activation_writer_create(struct activation_writer *writer, MPI_Comm comm, const char *path,
                              struct stream stream, int64_t rows, const char *suite);

/* Note which rows the stream has that this is a shard of: it will be read only together with
 * shards that add up to them.  Before the first rows are written.
 * Collective.  E_IO, E_SPACE. */
enum status activation_writer_tell_source(struct activation_writer *writer, struct row_digest source);

/* Write rows `range` of the shard: every rank brings its own, which start at a multiple of
 * CHUNK_ROWS and end at one or at the shard's end, so that each chunk is written once, by
 * one rank.  A rank may bring none (first == end).  Over all calls chunks come in order:
 * no call brings a chunk below those of the call before.
 *   values   [range, width]   in the stream's store
 *   origins  [range]
 * Collective.  E_IO, E_SPACE; E_NUMERIC if a value is not finite. */
enum status activation_writer_write(struct activation_writer *writer, struct range range,
                             const void *values, const struct row_origin *origins);

/* Write the statistics and close.  Accepts a writer that was never created.  With `st`
 * other than OK only closes, and returns st.  Collective. */
enum status activation_writer_close(struct activation_writer *writer, enum status st);

#endif
