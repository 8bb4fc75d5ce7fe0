/* activation_writer.h -- write an activation shard (activations.h) by several ranks together.
 *
 * Each rank compresses its own chunks, and parallel HDF5 writes them.  The shard depends only on
 * its rows, not on the number of ranks.
 */
#ifndef ACTIVATION_WRITER_H
#define ACTIVATION_WRITER_H

#include "shard/activations.h"

/* A shard that is being written.  The caller renames or publishes it. */
struct activation_writer {
    struct stream         stream;
    int64_t               rows;         /* of the whole shard */
    MPI_Comm              comm;
    char                  path[PATH_LENGTH];
    hid_t                 file, values, documents, positions, tokens;
    struct row_statistics statistics;   /* of the chunks written so far, in chunk order */
};

/* The most bytes on disk that a shard of `rows` rows can take. */
int64_t activation_writer_bytes(int64_t rows, struct stream stream);

/* Create a shard of `rows` rows.  Collective over comm.  E_IO, E_SPACE. */
enum status activation_writer_create(struct activation_writer *writer, MPI_Comm comm,
                                     const char *path, struct stream stream, int64_t rows,
                                     const struct identity *identity);

/* Note the rows of the whole stream of which this is a shard.  A reader refuses a set of shards
 * that do not add up to them.  Call it before the first write.  Collective.  E_IO, E_SPACE. */
enum status activation_writer_tell_source(struct activation_writer *writer,
                                          struct row_digest source);

/* Write rows `range` of the shard; every rank has a range of its own.  It starts at a multiple of
 * CHUNK_ROWS and ends at one or at the shard's end, so each chunk is written once, by one rank.  A
 * rank may have no rows (first == end).  All chunks of a call come after those of earlier calls.
 *   values   [range, width]   in the stream's store
 *   origins  [range]
 * Collective.  E_IO, E_SPACE; E_NUMERIC if a value is not finite. */
enum status activation_writer_write(struct activation_writer *writer, struct range range,
                                    const void *values, const struct row_origin *origins);

/* Write the statistics and close the file.  If `st` is not OK it only closes, and returns st.
 * Accepts a writer that was never created.  Collective. */
enum status activation_writer_close(struct activation_writer *writer, enum status st);

#endif
