/* spool.h -- write the rows of several streams to their shards while the next rows are computed.
 *
 * In a round each rank brings its rows of each stream, one stream after the other.  A worker
 * thread on each rank exchanges them so that whole chunks lie on one rank, compresses the chunks
 * and writes them.  Rows that fill no chunk go to rank 0, which puts them in front of the next
 * round's rows.  The workers have a communicator of their own.
 *
 *     origins = spool_origins(&spool);            ... fill ...
 *     spool_round(&spool, mine, end);
 *     for each stream:
 *         values = spool_values(&spool, stream);          ... fill ...
 *         spool_give(&spool, stream);
 *
 * Buffers hold SPOOL_SLOTS streams, however many there are; only the rows that fill no chunk are
 * kept for every stream.  HDF5 is not made for threads: between spool_open() and spool_close()
 * nobody else may call it.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "base/worker.h"
#include "shard/activation_writer.h"

enum { SPOOL_SLOTS = 4 };

/* A stream in a shard. */
struct spool_stream {
    struct activation_writer writer;
    struct stream stream;
    void *remainder;            /* [< CHUNK_ROWS, width] on rank 0: rows that fill no chunk yet */
};

/* A job for the worker: the rows of a stream, or the origins of a round. */
struct spool_job {
    struct spool *spool;
    int          stream;        /* number; -1: origins */
    struct range mine;          /* rows of the shard that this rank brings */
    int64_t      written, upto, end;    /* rows on disk before this round and after it, rows
                                           made after it */
    void        *values;        /* [CHUNK_ROWS + rows, widest row]: the remainder, then `mine` */
};

struct spool {
    MPI_Comm             comm;      /* of the workers */
    int                  rank, size;
    struct worker        worker;
    struct spool_stream *streams;
    int                  count;
    int64_t              rows;      /* of a rank in a round, at most */
    int64_t              total;     /* rows of the open shard */
    struct spool_job     round;     /* the present round */
    struct spool_job     jobs[SPOOL_SLOTS];
    int64_t              queued;    /* jobs so far; number n is jobs[n % SPOOL_SLOTS] */
    void                *values;    /* [rows + 2 chunks, widest row] received rows; NULL on a
                                       single rank, which writes from the job's buffer */
    struct row_origin   *origins;   /* [rows + 2 chunks] */
    struct row_origin   *remainder; /* [< CHUNK_ROWS] on rank 0 */
};

/* Bytes that a rank needs for it, HDF5's included; rank 0 needs more.  Local. */
int64_t spool_bytes(const struct stream *streams, int count, int64_t rows, int rank, int size);

/* Allocate the buffers, make the communicator, start the worker.  spool_free() accepts an empty
 * spool.  Collective. */
void spool_make(struct spool *spool, MPI_Comm comm, const struct stream *streams, int count,
                int64_t rows);
void spool_free(struct spool *spool);

/* Create the files FOLDER/SITE.LL.h5 of a shard of `rows` rows; `identity` is that of the folder.
 * Collective.  E_IO, E_SPACE. */
enum status spool_open(struct spool *spool, const char *folder, int64_t rows,
                       const struct identity *identity);

/* Buffer for the origins of this rank's rows of a round.  Waits until one is free.  Local. */
struct row_origin *spool_origins(struct spool *spool);

/* Begin a round, whose origins are filled in.
 *   mine  rows of the shard that this rank brings, after those of the ranks below it; may be empty
 *   end   rows of the shard that all ranks have made after this round
 * Every rank makes the same calls; no rank waits for another. */
void spool_round(struct spool *spool, struct range mine, int64_t end);

/* Buffer for this rank's rows of a stream, in the stream's type.  Waits until one is free. */
void *spool_values(struct spool *spool, int stream);

/* Hand the filled buffer to the writer. */
void spool_give(struct spool *spool, int stream);

/* Has writing failed so far?  Ranks may learn it at different times, so agree() on it.  E_IO,
 * E_SPACE; E_NUMERIC if a value is not finite.  Local. */
enum status spool_status(struct spool *spool);

/* Wait until all rows are written, and close the files.  If `st` is not OK, only close them and
 * return st.  Accepts a spool that was never made or opened.  Collective. */
enum status spool_close(struct spool *spool, enum status st);

#endif
