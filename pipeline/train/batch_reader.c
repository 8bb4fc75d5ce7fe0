#include "train/batch_reader.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "kernels/values.h"
#include "shard/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t row_bytes(const struct batch_reader *reader)
{
    return reader->activations.stream.width * store_bytes(reader->activations.stream.store);
}

/* A rank's share of a batch: whole chunks, as long as batches are whole chunks. */
static struct range share_of(int64_t rows, int rank, int size)
{
    const struct range chunks = split_range(split_blocks(rows, CHUNK_ROWS), rank, size);
    const int64_t first = chunks.first * CHUNK_ROWS, end = chunks.end * CHUNK_ROWS;

    return (struct range){ first < rows ? first : rows, end < rows ? end : rows };
}

/* Read this rank's share of batch t, going on at row 0 after the last row.  Local. */
static enum status read_share(struct batch_reader *reader, int64_t t)
{
    const int64_t rows = reader->activations.statistics.rows;
    char *to = reader->next + reader->share.first * row_bytes(reader);
    int64_t left = reader->share.end - reader->share.first;
    int64_t at = (t * reader->rows + reader->share.first) % rows;

    while (left > 0) {
        const int64_t count = left < rows - at ? left : rows - at;
        const struct range range = { at, at + count };
        const enum status st = activations_read(&reader->activations, range, to, NULL);
        if (st != OK)
            return st;
        to += count * row_bytes(reader);
        left -= count;
        at = 0;
    }
    return OK;
}

static enum status read_ahead(void *argument)
{
    struct batch_reader *reader = argument;

    return read_share(reader, reader->ahead_of);
}

static void start_reading(struct batch_reader *reader, int64_t t)
{
    reader->ahead_of = t;
    reader->reading = true;
    worker_begin(&reader->worker, read_ahead, reader);
}

void batch_reader_wait(struct batch_reader *reader)
{
    if (reader->reading)
        reader->read = worker_wait(&reader->worker);
    reader->reading = false;
}

/* Scale and variance of the whole stream.  E_NUMERIC. */
static enum status find_scale(struct batch_reader *reader, const char *folder)
{
    const struct row_statistics *s = &reader->activations.statistics;
    const double rows = (double)s->rows;
    double mean_square = 0;
    enum status st;

    REQUIRE(s->rows > 0 && s->sum_squares > 0, E_NUMERIC, "the activations in %s are all zero "
            "(%lld rows); there is nothing to learn", folder, (long long)s->rows);
    for (int32_t j = 0; j < reader->activations.stream.width; j++)
        mean_square += pow(s->sum[j] / rows, 2);
    reader->scale = sqrt(s->sum_squares / rows);
    reader->variance = 1 - mean_square / (reader->scale * reader->scale);
done:
    return st;
}

static enum status open_stream(struct batch_reader *reader, const char *folder,
                               const struct identity *identity)
{
    enum status st;

    TRY(activations_open_folder(&reader->activations, folder, identity));
    TRY(find_scale(reader, folder));
done:
    return st;
}

enum status batch_reader_open(struct batch_reader *reader, MPI_Comm comm, const char *folder,
                              const struct identity *identity, int64_t rows)
{
    int rank, size;
    enum status st;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *reader = (struct batch_reader){
        .comm = comm, .rows = rows, .share = share_of(rows, rank, size), .ahead_of = -1,
    };
    worker_start(&reader->worker);
    TRY_ALL(comm, open_stream(reader, folder, identity));
    reader->batch = (struct packed_rows){
        .memory = allocate_big(rows, row_bytes(reader)),
        .store = reader->activations.stream.store,
        .width = reader->activations.stream.width,
        .factor = (float)(1 / reader->scale),
    };
    reader->next = allocate_big(rows, row_bytes(reader));
done:
    return st;
}

/* The origins of some rows.  Caller frees.  Local. */
static enum status read_origins(struct batch_reader *reader, struct range rows,
                                struct row_origin **origins)
{
    char *values = allocate(rows.end - rows.first, row_bytes(reader));
    enum status st;

    *origins = allocate(rows.end - rows.first, sizeof **origins);
    st = activations_read(&reader->activations, rows, values, *origins);
    free(values);
    return st;
}

static bool same_origin(struct row_origin a, struct row_origin b)
{
    return a.document == b.document && a.position == b.position && a.token == b.token;
}

enum status batch_reader_check_aligned(struct batch_reader *a, struct batch_reader *b,
                                       const char *folder)
{
    const int64_t rows = a->activations.statistics.rows;
    const struct range some = { 0, rows < CHUNK_ROWS ? rows : CHUNK_ROWS };
    struct row_origin *of_a = NULL, *of_b = NULL;
    bool aligned = b->activations.statistics.rows == rows;
    enum status st = OK;

    if (aligned) {
        TRY(read_origins(a, some, &of_a));
        TRY(read_origins(b, some, &of_b));
    }
    for (int64_t i = 0; aligned && i < some.end; i++)
        aligned = same_origin(of_a[i], of_b[i]);
    if (!aligned)
        st = refuse(E_USAGE, "the rows in %s are not those of the stream that transcoders read; "
                    "both must come from one harvest and one shuffle: remove both folders and run "
                    "saemill-shuffle again", folder);
done:
    free(of_b);
    free(of_a);
    return st;
}

void batch_reader_close(struct batch_reader *reader)
{
    worker_stop(&reader->worker);
    free(reader->next);
    free(reader->batch.memory);
    activations_close(&reader->activations);
    *reader = (struct batch_reader){0};
}

int64_t batch_reader_bytes(int64_t rows, int32_t width, enum store store)
{
    return rows * width * store_bytes(store);
}

/* Give all ranks the shares of all. */
static void gather(struct batch_reader *reader)
{
    int size, *counts, *offsets;
    MPI_Datatype row;

    MPI_Comm_size(reader->comm, &size);
    if (size == 1)
        return;
    counts = allocate(2 * size, sizeof *counts);
    offsets = counts + size;
    for (int r = 0; r < size; r++) {
        const struct range share = share_of(reader->rows, r, size);
        counts[r] = comm_count(share.end - share.first);
        offsets[r] = comm_count(share.first);
    }
    MPI_Type_contiguous(comm_count(row_bytes(reader)), MPI_BYTE, &row);
    MPI_Type_commit(&row);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, reader->next, counts, offsets, row,
                   reader->comm);
    MPI_Type_free(&row);
    free(counts);
}

/* Swap the buffers of this batch and the next. */
static void swap_buffers(struct batch_reader *reader)
{
    char *read = reader->next;

    reader->next = reader->batch.memory;
    reader->batch.memory = read;
}

enum status batch_reader_read(struct batch_reader *reader, int64_t t)
{
    enum status st;

    if (reader->ahead_of != t) {
        batch_reader_wait(reader);
        swap_buffers(reader);       /* overwrite the previous batch */
        start_reading(reader, t);
    }
    batch_reader_wait(reader);
    TRY_ALL(reader->comm, reader->read);
    gather(reader);
    swap_buffers(reader);
    reader->ahead_of = -1;
    start_reading(reader, t + 1);
done:
    return st;
}
