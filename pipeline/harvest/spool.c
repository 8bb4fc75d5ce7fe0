#include "harvest/spool.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/phase.h"
#include "base/redistribute.h"
#include "shard/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const int64_t ORIGIN_BYTES = sizeof(struct row_origin);

static int64_t row_bytes(struct stream stream)
{
    return stream.width * store_bytes(stream.store);
}

/* Bytes of the widest row of all streams, and of an origin. */
static int64_t widest(const struct stream *streams, int count)
{
    int64_t most = ORIGIN_BYTES;

    for (int s = 0; s < count; s++)
        most = row_bytes(streams[s]) > most ? row_bytes(streams[s]) : most;
    return most;
}

/* --- the worker ---------------------------------------------------------------------- */

/* The rows of a job that this rank has; on rank 0 the remainder of the round before comes
 * first. */
static struct range rows_had(const struct spool *spool, const struct spool_job *job)
{
    return (struct range){ spool->rank == 0 ? job->written : job->mine.first, job->mine.end };
}

/* The rows that this rank is to write, whole chunks but at the end of a shard. */
static struct range rows_wanted(const struct spool *spool, const struct spool_job *job)
{
    const struct range chunks = split_range(split_blocks(job->upto - job->written, CHUNK_ROWS),
                                            spool->rank, spool->size);
    const int64_t from = job->written + chunks.first * CHUNK_ROWS;
    const int64_t to = job->written + chunks.end * CHUNK_ROWS;

    return (struct range){ from < job->upto ? from : job->upto, to < job->upto ? to : job->upto };
}

/* Bring the rows of a job to the ranks that write them, and rows that fill no chunk to rank 0.
 *   out        [rows_wanted()]       out; NULL on a single rank, which has them already
 *   remainder  [< CHUNK_ROWS]        in and out
 * Returns the rows to be written.  Collective. */
static void *exchange_rows(const struct spool *spool, const struct spool_job *job, void *out,
                           void *remainder, int64_t bytes)
{
    const struct range had = rows_had(spool, job), wanted = rows_wanted(spool, job);
    const struct range later = { spool->rank == 0 ? job->upto : job->end, job->end };
    const int64_t left = job->mine.first - had.first;
    char *values = (char *)job->values + (CHUNK_ROWS - left) * bytes;

    if (left > 0)
        memcpy(values, remainder, (size_t)(left * bytes));
    if (out != NULL)
        redistribute(out, wanted, values, had, bytes, spool->comm);
    redistribute(remainder, later, values, had, bytes, spool->comm);
    return out != NULL ? out : values;
}

/* Do a job.  The origins of a round are exchanged and kept, since every stream is written with
 * them; the rows of a stream are exchanged, compressed and written.  Collective. */
static enum status write_job(void *context)
{
    const struct spool_job *job = context;
    struct spool *spool = job->spool;
    enum status st;

    phase_enter(PHASE_EXCHANGE);
    comm_meet(spool->comm);
    if (job->stream < 0) {
        exchange_rows(spool, job, spool->origins, spool->remainder, ORIGIN_BYTES);
        return OK;
    }
    struct spool_stream *to = &spool->streams[job->stream];
    const void *values = exchange_rows(spool, job, spool->values, to->remainder,
                                       row_bytes(to->stream));
    phase_enter(PHASE_WRITE);
    st = activation_writer_write(&to->writer, rows_wanted(spool, job), values, spool->origins);
    file_let_go(to->writer.path);
    return st;
}

/* --- memory -------------------------------------------------------------------------- */

int64_t spool_bytes(const struct stream *streams, int count, int64_t rows, int rank, int size)
{
    const int64_t row = widest(streams, count), most = rows + 2 * CHUNK_ROWS;
    int64_t bytes = SPOOL_SLOTS * (CHUNK_ROWS + rows) * row;

    bytes += most * ORIGIN_BYTES + (size > 1 ? most * row : 0);
    bytes += most * row;        /* HDF5 keeps the chunks that it has compressed */
    for (int s = 0; rank == 0 && s < count; s++)
        bytes += CHUNK_ROWS * row_bytes(streams[s]);
    return bytes;
}

void spool_make(struct spool *spool, MPI_Comm comm, const struct stream *streams, int count,
                int64_t rows)
{
    const int64_t row = widest(streams, count), most = rows + 2 * CHUNK_ROWS;

    *spool = (struct spool){ .count = count, .rows = rows };
    MPI_Comm_dup(comm, &spool->comm);
    MPI_Comm_rank(comm, &spool->rank);
    MPI_Comm_size(comm, &spool->size);
    spool->streams = allocate(count, sizeof *spool->streams);
    for (int s = 0; s < count; s++) {
        spool->streams[s].stream = streams[s];
        spool->streams[s].remainder = allocate(spool->rank == 0 ? CHUNK_ROWS : 0,
                                               row_bytes(streams[s]));
    }
    for (int j = 0; j < SPOOL_SLOTS; j++)
        spool->jobs[j].values = allocate_big(CHUNK_ROWS + rows, row);
    spool->values = spool->size > 1 ? allocate_big(most, row) : NULL;
    spool->origins = allocate(most, ORIGIN_BYTES);
    spool->remainder = allocate(CHUNK_ROWS, ORIGIN_BYTES);
    worker_start(&spool->worker);
}

void spool_free(struct spool *spool)
{
    if (spool->streams == NULL)
        return;
    worker_stop(&spool->worker);
    for (int s = 0; s < spool->count; s++)
        free(spool->streams[s].remainder);
    for (int j = 0; j < SPOOL_SLOTS; j++)
        free(spool->jobs[j].values);
    free(spool->streams);
    free(spool->values);
    free(spool->origins);
    free(spool->remainder);
    if (!comm_broken)
        MPI_Comm_free(&spool->comm);
    *spool = (struct spool){0};
}

/* --- a shard ------------------------------------------------------------------------- */

enum status spool_open(struct spool *spool, const char *folder, int64_t rows,
                       const struct identity *identity)
{
    char path[PATH_LENGTH], name[32];
    enum status st = OK;

    spool->total = rows;
    spool->round = (struct spool_job){0};
    for (int s = 0; s < spool->count; s++) {
        struct spool_stream *to = &spool->streams[s];
        path_print(path, "%s/%s.h5", folder, site_tap_name(name, to->stream.tap));
        const struct identity own = identity_of_stream(identity, to->stream.tap);
        TRY(activation_writer_create(&to->writer, spool->comm, path, to->stream, rows, &own));
    }
done:
    return st;
}

/* The next job.  Waits until the job that used its buffer is done. */
static struct spool_job *next_job(struct spool *spool)
{
    worker_await(&spool->worker, SPOOL_SLOTS - 1);
    return &spool->jobs[spool->queued % SPOOL_SLOTS];
}

/* The buffer of the next job, after the space for the remainder of the round before. */
static void *next_buffer(struct spool *spool, int64_t bytes)
{
    return (char *)next_job(spool)->values + CHUNK_ROWS * bytes;
}

static void give(struct spool *spool, int stream)
{
    struct spool_job *job = next_job(spool);
    void *values = job->values;

    *job = spool->round;
    job->spool = spool;
    job->stream = stream;
    job->values = values;
    spool->queued++;
    worker_queue(&spool->worker, write_job, job);
}

struct row_origin *spool_origins(struct spool *spool)
{
    return next_buffer(spool, ORIGIN_BYTES);
}

void spool_round(struct spool *spool, struct range mine, int64_t end)
{
    assert(mine.end - mine.first <= spool->rows);
    spool->round = (struct spool_job){
        .mine = mine,
        .written = spool->round.upto,
        .upto = end == spool->total ? end : end / CHUNK_ROWS * CHUNK_ROWS,
        .end = end,
    };
    give(spool, -1);
}

void *spool_values(struct spool *spool, int stream)
{
    return next_buffer(spool, row_bytes(spool->streams[stream].stream));
}

void spool_give(struct spool *spool, int stream)
{
    give(spool, stream);
}

enum status spool_status(struct spool *spool)
{
    return worker_status(&spool->worker);
}

enum status spool_close(struct spool *spool, enum status st)
{
    enum status written;

    if (spool->streams == NULL)
        return st;
    written = worker_wait(&spool->worker);
    comm_meet(spool->comm);
    written = agree(spool->comm, written);
    st = st != OK ? st : written;
    for (int s = 0; s < spool->count; s++)
        st = activation_writer_close(&spool->streams[s].writer, st);
    return st;
}
