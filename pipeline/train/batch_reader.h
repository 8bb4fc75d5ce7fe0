/* batch_reader.h -- the batches of a stream, in order, for all ranks.
 *
 * Batch t is rows t * batch, ..., (t + 1) * batch - 1 of the shuffled stream; after the last
 * row comes the first again.  Each rank reads and decompresses its share; the shares are gathered
 * in the type that they have on disk.  The next batch is read ahead in a thread while this one is
 * worked on.
 */
#ifndef BATCH_READER_H
#define BATCH_READER_H

#include "base/worker.h"
#include "shard/activations.h"
#include "shard/store.h"
#include "step/packed_rows.h"

struct batch_reader {
    struct activations activations;
    MPI_Comm           comm;
    int64_t            rows;        /* of a batch */
    double             scale;       /* root mean squared norm of a row, over the whole stream */
    double             variance;    /* mean squared distance from the mean row, normalised units */
    struct packed_rows batch;       /* [rows, width] the current batch, normalised: row / scale */
    char              *next;        /* [rows, width] buffer of the next batch */
    struct range       share;       /* rows of a batch that this rank reads */
    struct worker      worker;      /* the thread that reads them into `next` */
    bool               reading;     /* it was started, and nobody has waited for it yet */
    int64_t            ahead_of;    /* number of the batch that it was started for; -1: none */
    enum status        read;        /* the status with which it ended */
};

/* Open the shards 00000.h5, 00001.h5, ... in a folder (activations_open_folder()).  Collective.
 * E_IO, E_FORMAT, E_USAGE; E_NUMERIC if all values are zero. */
enum status batch_reader_open(struct batch_reader *reader, MPI_Comm comm, const char *folder,
                              const struct identity *identity, int64_t rows);
void        batch_reader_close(struct batch_reader *reader);

/* Check that row i of both streams comes from the same token, by their lengths and the origins of
 * their first rows.  E_USAGE, naming `folder`, which b was opened in.  Local. */
enum status batch_reader_check_aligned(struct batch_reader *a, struct batch_reader *b,
                                       const char *folder);

/* Bytes of a batch; a reader has two of them. */
int64_t batch_reader_bytes(int64_t rows, int32_t width, enum store store);

/* Batch number t, in reader->batch.  Batch t + 1 is then read ahead.  Collective.  E_IO,
 * E_FORMAT. */
enum status batch_reader_read(struct batch_reader *reader, int64_t t);

/* Wait for the thread that reads ahead.  To be called before HDF5 is used for something else, since
 * two threads must not be in it at a time.  Local. */
void batch_reader_wait(struct batch_reader *reader);

#endif
