/* spool.h -- write rows of several streams to their shards beside the computation that makes
 * them.
 *
 * In a round each rank brings the rows that it has made of each stream, one stream after the
 * other; a worker thread on each rank exchanges them so that whole chunks lie on one rank,
 * compresses and writes them, while the owner makes the next ones.  What fills no chunk goes
 * to rank 0, which has it ready in front of the next round's rows.  The workers talk on a
 * communicator of their own.
 *
 *     origins = spool_origins(&spool);            ... fill ...
 *     spool_round(&spool, mine, end);
 *     for each stream:
 *         values = spool_values(&spool, stream);          ... fill ...
 *         spool_give(&spool, stream);
 *
 * Only a few streams are under way at a time, so that memory does not grow with their number
 * but for the rests.  HDF5 is not made for threads: while a spool is open, between spool_open()
 * and spool_close(), nobody else may call it.
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
    void *rest;                 /* [< CHUNK_ROWS, width] on rank 0: not yet written */
};

/* Rows of a stream, or the origins of a round, under way. */
struct spool_job {
    struct spool *spool;
    int          stream;        /* number; -1: origins */
    struct range mine;          /* rows of the shard that this rank brings */
    int64_t      written, upto, end;    /* rows on disk before this round and after it, rows
                                           made after it */
    void        *values;        /* [CHUNK_ROWS + rows, widest row]; `mine` behind the first */
};

struct spool {
    MPI_Comm             comm;      /* of the workers */
    int                  rank, size;
    struct worker        worker;
    struct spool_stream *streams;
    int                  count;
    int64_t              rows;      /* that a rank brings in a round, at most */
    int64_t              total;     /* of the open shard */
    struct spool_job     round;     /* the present one */
    struct spool_job     jobs[SPOOL_SLOTS];
    int64_t              given;     /* jobs; number n is jobs[n % SPOOL_SLOTS] */
    void                *values;    /* [rows + 2 chunks, widest row] on the way to disk; NULL on
                                       a single rank, which writes them from where they are */
    struct row_origin   *origins;   /* [rows + 2 chunks] */
    struct row_origin   *rest;      /* [< CHUNK_ROWS] on rank 0 */
};

/* Bytes that a rank needs for it, HDF5's included; the first rank needs more.  Local. */
int64_t spool_bytes(const struct stream *streams, int count, int64_t rows, int rank, int size);

/* Room, a communicator and the worker.  spool_free() accepts an empty one.  Collective. */
void spool_make(struct spool *spool, MPI_Comm comm, const struct stream *streams, int count,
                int64_t rows);
void spool_free(struct spool *spool);

/* Create the files FOLDER/SITE.LL.h5 of a shard of `rows` rows.  Collective.  E_IO, E_SPACE. */
enum status spool_open(struct spool *spool, const char *folder, int64_t rows, const char *suite);

/* Room for the origins of the rows of a round.  Waits until there is some.  Local. */
struct row_origin *spool_origins(struct spool *spool);

/* Begin a round.
 *   mine  rows that this rank brings: behind those of the ranks below it, perhaps none
 *   end   rows of the shard that are made after this round
 * Every rank makes the same calls; none waits for another. */
void spool_round(struct spool *spool, struct range mine, int64_t end);

/* Room for this rank's rows of a stream in the stream's store, and off they go. */
void *spool_values(struct spool *spool, int stream);
void  spool_give(struct spool *spool, int stream);

/* Has writing failed so far?  Other ranks may know it sooner or later: to be agreed on.  E_IO,
 * E_SPACE; E_NUMERIC if a value is not finite.  Local. */
enum status spool_status(struct spool *spool);

/* Wait until all is written, and close the files; with `st` other than OK only closes, and
 * returns st.  Accepts a spool that was never made or opened.  Collective. */
enum status spool_close(struct spool *spool, enum status st);

#endif
