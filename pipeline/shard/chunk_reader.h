/* chunk_reader.h -- read a data set of an open file past HDF5.
 *
 * HDF5 lets one thread in at a time, and a collective write keeps it inside for long.  So it
 * is asked only where the chunks of the data set lie; they are read and decompressed here,
 * whatever other threads do.  And a damaged chunk can be named.
 */
#ifndef CHUNK_READER_H
#define CHUNK_READER_H

#include "base/split.h"
#include "shard/h5.h"

struct chunk_reader {
    const char *path, *name;    /* of the file and the data set; the caller's */
    int         file;           /* descriptor of HDF5's file; not ours to close */
    int64_t     rows;
    int64_t     chunk;          /* rows of a chunk */
    int64_t     columns;        /* numbers of a row */
    int         size;           /* bytes of a number */
    int64_t     count;
    struct chunk_place {
        int64_t at, bytes;      /* of its frame in the file */
    }          *places;         /* [count] */
    int64_t     held;           /* the chunk that lies in `planes`, or -1 */
    uint8_t    *planes, *frame;
};

/* Find the chunks of a data set.  Local; calls HDF5.  E_FORMAT if there is none of that name or it
 * is not compressed as ours are. */
enum status chunk_reader_find(struct chunk_reader *chunks, hid_t file, const char *path, const char *name);

/* Accepts empty. */
void chunk_reader_free(struct chunk_reader *chunks);

/* Bytes that chunk_reader_find() allocates for chunks of so many bytes. */
int64_t chunk_reader_bytes(int64_t chunk_bytes);

/* Read rows `rows` of the data set; cheapest when they cover whole chunks.
 *   to  out: a row every `stride` bytes
 * Local, without HDF5.  E_IO, E_FORMAT (a chunk whose checksum differs: names file and rows). */
enum status chunk_reader_read(struct chunk_reader *chunks, struct range rows, void *to, int64_t stride);

#endif
