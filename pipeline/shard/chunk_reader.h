/* chunk_reader.h -- read the chunks of an HDF5 data set without HDF5.
 *
 * HDF5 lets only one thread in at a time, and a collective write occupies it for long.  So HDF5 is
 * asked only where the chunks of the data set lie.  They are read and decompressed here, whatever
 * other threads do.  And an error can name the damaged chunk.
 */
#ifndef CHUNK_READER_H
#define CHUNK_READER_H

#include "base/split.h"
#include "shard/h5.h"

struct chunk_reader {
    const char *path, *name;    /* of the file and the data set; the caller's */
    int         file;           /* descriptor, which belongs to HDF5 */
    int64_t     rows;
    int64_t     chunk;          /* rows of a chunk */
    int64_t     columns;        /* numbers in a row */
    int         size;           /* bytes of a number */
    int64_t     count;          /* of chunks */
    struct chunk_place {
        int64_t at, bytes;      /* of its zstd frame in the file */
    }          *places;         /* [count] */
    int64_t     held;           /* the chunk in `planes`, or -1 */
    uint8_t    *planes, *frame;
};

/* Find the chunks of a data set.  Local; calls HDF5.  E_FORMAT if it is missing or not compressed
 * as h5_make_set() does it. */
enum status chunk_reader_find(struct chunk_reader *reader, hid_t file, const char *path,
                              const char *name);

/* Accepts empty. */
void chunk_reader_free(struct chunk_reader *reader);

/* Bytes that chunk_reader_find() allocates for chunks of `chunk_bytes`. */
int64_t chunk_reader_bytes(int64_t chunk_bytes);

/* Read rows `rows` of the data set; cheapest if they are whole chunks.
 *   to  out: consecutive rows `stride` bytes apart
 * Local, without HDF5.  E_IO, E_FORMAT (a chunk whose checksum differs: names file and rows). */
enum status chunk_reader_read(struct chunk_reader *reader, struct range rows, void *to,
                              int64_t stride);

#endif
