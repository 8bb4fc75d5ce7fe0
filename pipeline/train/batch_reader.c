#include "train/batch_reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t row_bytes(const struct feed *feed)
{
    return feed->activations.stream.width * store_bytes(feed->activations.stream.store);
}

/* A rank's share of a batch: whole chunks, as long as batches are whole chunks. */
static struct range share_of(int64_t rows, int rank, int size)
{
    const struct range chunks = split_range(split_blocks(rows, CHUNK_ROWS), rank, size);
    const int64_t first = chunks.first * CHUNK_ROWS, end = chunks.end * CHUNK_ROWS;

    return (struct range){ first < rows ? first : rows, end < rows ? end : rows };
}

/* Read this rank's share of batch t, going round at the end of the stream.  Local. */
static enum status read_share(struct feed *feed, int64_t t)
{
    const int64_t rows = feed->activations.statistics.rows;
    char *to = feed->next + feed->share.first * row_bytes(feed);
    int64_t left = feed->share.end - feed->share.first;
    int64_t at = (t * feed->rows + feed->share.first) % rows;

    while (left > 0) {
        const int64_t count = left < rows - at ? left : rows - at;
        const struct range range = { at, at + count };
        const enum status st = activations_read(&feed->activations, range, to, NULL);
        if (st != OK)
            return st;
        to += count * row_bytes(feed);
        left -= count;
        at = 0;
    }
    return OK;
}

static enum status read_ahead(void *of)
{
    struct feed *feed = of;

    return read_share(feed, feed->ahead_of);
}

static void start_reading(struct feed *feed, int64_t t)
{
    feed->ahead_of = t;
    feed->reading = true;
    worker_begin(&feed->worker, read_ahead, feed);
}

void feed_rest(struct feed *feed)
{
    if (feed->reading)
        feed->read = worker_wait(&feed->worker);
    feed->reading = false;
}

/* The constants of the whole stream.  E_NUMERIC. */
static enum status find_scale(struct feed *feed, const char *folder)
{
    const struct row_statistics *s = &feed->activations.statistics;
    const double rows = (double)s->rows;
    double mean_square = 0;

    if (s->rows == 0 || !(s->sum_squares > 0))
        return refuse(E_NUMERIC, "the activations in %s are all zero (%lld rows); there is "
                      "nothing to learn", folder, (long long)s->rows);
    for (int32_t j = 0; j < feed->activations.stream.width; j++)
        mean_square += pow(s->sum[j] / rows, 2);
    feed->scale = sqrt(s->sum_squares / rows);
    feed->variance = 1 - mean_square / (feed->scale * feed->scale);
    return OK;
}

static enum status open_stream(struct feed *feed, const char *folder)
{
    enum status st;

    TRY(activations_open_folder(&feed->activations, folder));
    TRY(find_scale(feed, folder));
done:
    return st;
}

enum status feed_open(struct feed *feed, MPI_Comm comm, const char *folder, int64_t rows)
{
    int rank, size;
    enum status st;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *feed = (struct feed){ .comm = comm, .rows = rows, .share = share_of(rows, rank, size),
                           .ahead_of = -1 };
    worker_start(&feed->worker);
    TRY_ALL(comm, open_stream(feed, folder));
    feed->batch = (struct stored_rows){
        .memory = allocate_big(rows, row_bytes(feed)),
        .store = feed->activations.stream.store,
        .width = feed->activations.stream.width,
        .factor = (float)(1 / feed->scale),
    };
    feed->next = allocate_big(rows, row_bytes(feed));
done:
    return st;
}

/* The origins of some rows.  Caller frees.  Local. */
static enum status read_origins(struct feed *feed, struct range rows, struct row_origin **origins)
{
    char *values = allocate(rows.end - rows.first, row_bytes(feed));
    enum status st;

    *origins = allocate(rows.end - rows.first, sizeof **origins);
    st = activations_read(&feed->activations, rows, values, *origins);
    free(values);
    return st;
}

static bool same_origin(struct row_origin a, struct row_origin b)
{
    return a.document == b.document && a.position == b.position && a.token == b.token;
}

enum status feed_check_aligned(struct feed *a, struct feed *b, const char *folder)
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

void feed_close(struct feed *feed)
{
    worker_stop(&feed->worker);
    free(feed->next);
    free(feed->batch.memory);
    activations_close(&feed->activations);
    *feed = (struct feed){0};
}

int64_t feed_bytes(int64_t rows, int32_t width, enum store store)
{
    return rows * width * store_bytes(store);
}

/* The shares of all ranks.  A single rank has read all that there is. */
static void gather(struct feed *feed)
{
    int size, *counts, *places;
    MPI_Datatype row;

    MPI_Comm_size(feed->comm, &size);
    if (size == 1)
        return;
    counts = allocate(2 * size, sizeof *counts);
    places = counts + size;
    for (int r = 0; r < size; r++) {
        const struct range share = share_of(feed->rows, r, size);
        counts[r] = mpi_count(share.end - share.first);
        places[r] = mpi_count(share.first);
    }
    MPI_Type_contiguous(mpi_count(row_bytes(feed)), MPI_BYTE, &row);
    MPI_Type_commit(&row);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, feed->next, counts, places, row, feed->comm);
    MPI_Type_free(&row);
    free(counts);
}

/* What has been read is the batch from now on; in the place of the one before comes the next. */
static void turn_over(struct feed *feed)
{
    char *read = feed->next;

    feed->next = feed->batch.memory;
    feed->batch.memory = read;
}

enum status feed_batch(struct feed *feed, int64_t t, bool ahead)
{
    enum status st;

    if (feed->ahead_of != t) {
        feed_rest(feed);
        turn_over(feed);        /* it is read over the one before, which nobody wants any more */
        start_reading(feed, t);
    }
    feed_rest(feed);
    TRY_ALL(feed->comm, feed->read);
    gather(feed);
    turn_over(feed);
    feed->ahead_of = -1;
    if (ahead)
        start_reading(feed, t + 1);
    else
        release_pages(feed->next, feed->rows * row_bytes(feed));
done:
    return st;
}
