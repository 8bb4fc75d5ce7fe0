#include "harvest/norm_filter.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/split.h"
#include "kernels/bf16.h"
#include "kernels/values.h"
#include "shard/activation_writer.h"
#include "shard/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows that a rank reads or writes at a time. */
enum { PIECE = 8 * CHUNK_ROWS };

/* A shard on its way through. */
struct work {
    const struct norm_filter *sieve;
    int      rank, size;
    int64_t  rows, kept_rows;
    double  *limits;            /* [streams] */
    float   *norms, *sorted;    /* [rows] of one stream */
    bool    *out;               /* [rows] to be dropped */
    int64_t *kept;              /* [kept_rows] rows that stay */
    void    *values, *kept_values;              /* [PIECE, widest row] */
    struct row_origin *origins, *kept_origins;  /* [PIECE] */
};

static int64_t widest_row(const struct stream *streams, int count)
{
    int64_t most = 0;

    for (int s = 0; s < count; s++)
        most = stream_row_bytes(streams[s]) > most ? stream_row_bytes(streams[s]) : most;
    return most;
}

int64_t norm_filter_bytes(const struct stream *streams, int count, int64_t rows)
{
    const int64_t row = (int64_t)(2 * sizeof(float) + sizeof(bool) + sizeof(int64_t));

    return rows * row
           + 2 * PIECE * (widest_row(streams, count) + (int64_t)sizeof(struct row_origin));
}

static void stream_path(char path[PATH_LENGTH], const struct work *work, int s)
{
    char name[32];

    path_print(path, "%s/%s.h5", work->sieve->folder,
               site_tap_name(name, work->sieve->streams[s].tap));
}

static enum status open_stream(struct activations *from, const struct work *work, int s)
{
    char paths[1][PATH_LENGTH];

    stream_path(paths[0], work, s);
    return activations_open(from, paths, 1);
}

/* --- which rows stand out ------------------------------------------------------------ */

/* Norms of one of `parts` parts of the rows are this rank's. */
static struct range part_of(int64_t rows, int part, int parts)
{
    struct range range = split_range(split_blocks(rows, PIECE), part, parts);

    range.first *= PIECE;
    range.end *= PIECE;
    range.first = range.first < rows ? range.first : rows;
    range.end = range.end < rows ? range.end : rows;
    return range;
}

static float norm_of(const void *values, int64_t row, struct stream stream, float *room)
{
    if (stream.store == STORE_F32)
        memcpy(room, (const float *)values + row * stream.width,
               (size_t)stream.width * sizeof *room);
    else
        bf16_to_float(room, (const uint16_t *)values + row * stream.width, stream.width);
    return (float)sqrt(values_sum_squares(room, stream.width));
}

/* Norms of this rank's part.  Local. */
static enum status measure_part(struct work *work, struct activations *from)
{
    const struct range mine = part_of(work->rows, work->rank, work->size);
    float *room = allocate(from->stream.width, sizeof *room);
    enum status st = OK;

    for (int64_t at = mine.first; at < mine.end; at += PIECE) {
        const int64_t end = at + PIECE < mine.end ? at + PIECE : mine.end;

        TRY(activations_read(from, (struct range){ at, end }, work->values, NULL));
        for (int64_t row = at; row < end; row++)
            work->norms[row] = norm_of(work->values, row - at, from->stream, room);
    }
done:
    free(room);
    return st;
}

/* The parts of all ranks on all of them. */
static void share_norms(struct work *work)
{
    int *counts = allocate(work->size, sizeof *counts);
    int *places = allocate(work->size, sizeof *places);

    for (int r = 0; r < work->size; r++) {
        const struct range part = part_of(work->rows, r, work->size);
        counts[r] = comm_count(part.end - part.first);
        places[r] = comm_count(part.first);
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, work->norms, counts, places, MPI_FLOAT,
                   work->sieve->comm);
    free(places);
    free(counts);
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The median, of two in the middle the smaller. */
static float median(float *sorted, const float *values, int64_t count)
{
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return sorted[(count - 1) / 2];
}

/* Mark the rows that stand out in stream `s`.  Collective. */
static enum status mark_rows(struct work *work, int s)
{
    struct activations from = {0};
    enum status st;

    TRY_ALL(work->sieve->comm, open_stream(&from, work, s));
    TRY_ALL(work->sieve->comm, measure_part(work, &from));
    share_norms(work);
    work->limits[s] = work->sieve->most * (double)median(work->sorted, work->norms, work->rows);
    for (int64_t row = 0; row < work->rows; row++)
        work->out[row] |= (double)work->norms[row] > work->limits[s];
done:
    activations_close(&from);
    return st;
}

/* --- the others ---------------------------------------------------------------------- */

static void list_kept(struct work *work)
{
    for (int64_t row = 0; row < work->rows; row++)
        if (!work->out[row])
            work->kept[work->kept_rows++] = row;
}

/* Read number `range` of the kept rows.  Local. */
static enum status read_kept(struct work *work, struct activations *from, struct range range)
{
    const int64_t bytes = stream_row_bytes(from->stream);
    enum status st = OK;

    for (int64_t i = range.first; i < range.end; ) {
        const int64_t first = work->kept[i], last = work->kept[range.end - 1];
        const struct range read = { first, last - first < PIECE ? last + 1 : first + PIECE };

        TRY(activations_read(from, read, work->values, work->origins));
        for (; i < range.end && work->kept[i] < read.end; i++) {
            const int64_t to = i - range.first, at = work->kept[i] - first;
            memcpy((char *)work->kept_values + to * bytes, (char *)work->values + at * bytes,
                   (size_t)bytes);
            work->kept_origins[to] = work->origins[at];
        }
    }
done:
    return st;
}

/* Write a stream's kept rows to a file of their own.  Collective. */
static enum status write_kept(struct work *work, struct activations *from, const char *path)
{
    const struct norm_filter *sieve = work->sieve;
    struct activation_writer writer = {0};
    enum status st;

    TRY(activation_writer_create(&writer, sieve->comm, path, from->stream, work->kept_rows,
                          sieve->suite));
    for (int64_t first = 0; first < work->kept_rows; first += work->size * PIECE) {
        const int64_t at = first + work->rank * PIECE, rows = work->kept_rows;
        const struct range mine = { at < rows ? at : rows, at + PIECE < rows ? at + PIECE : rows };

        TRY_ALL(sieve->comm, read_kept(work, from, mine));
        TRY(activation_writer_write(&writer, mine, work->kept_values, work->kept_origins));
    }
done:
    return activation_writer_close(&writer, st);
}

static enum status replace(const char *path, const char *part)
{
    return rename(part, path) == 0 ? OK : file_refuse("rename", part);
}

/* Put the kept rows in the place of all.  Collective. */
static enum status drop_rows(struct work *work, int s)
{
    struct activations from = {0};
    char path[PATH_LENGTH], part[PATH_LENGTH];
    MPI_Comm comm = work->sieve->comm;
    enum status st;

    stream_path(path, work, s);
    path_print(part, "%s.part", path);
    TRY_ALL(comm, open_stream(&from, work, s));
    TRY(write_kept(work, &from, part));
done:
    activations_close(&from);
    if (st == OK)
        st = agree(comm, work->rank == 0 ? replace(path, part) : OK);
    return st;
}

static enum status note_limit(const struct work *work, int s)
{
    char path[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    stream_path(path, work, s);
    TRY(h5_change(&file, path));
    TRY(h5_write_double(file, path, "norm_limit", work->limits[s]));
    TRY(h5_write_int(file, path, "dropped", work->rows - work->kept_rows));
done:
    return h5_close(&file, path, st);
}

/* --- the whole ----------------------------------------------------------------------- */

/* How many rows the shard has, the same in every stream.  Local. */
static enum status count_rows(struct work *work)
{
    struct activations from = {0};
    enum status st;

    TRY(open_stream(&from, work, 0));
    work->rows = from.statistics.rows;
done:
    activations_close(&from);
    return st;
}

static void allocate_all(struct work *work)
{
    const int64_t row = widest_row(work->sieve->streams, work->sieve->count);

    work->limits = allocate(work->sieve->count, sizeof *work->limits);
    work->norms = allocate(work->rows, sizeof *work->norms);
    work->sorted = allocate(work->rows, sizeof *work->sorted);
    work->out = allocate(work->rows, sizeof *work->out);
    work->kept = allocate(work->rows, sizeof *work->kept);
    work->values = allocate(PIECE, row);
    work->kept_values = allocate(PIECE, row);
    work->origins = allocate(PIECE, sizeof *work->origins);
    work->kept_origins = allocate(PIECE, sizeof *work->kept_origins);
}

static void free_all(struct work *work)
{
    free(work->limits);
    free(work->norms);
    free(work->sorted);
    free(work->out);
    free(work->kept);
    free(work->values);
    free(work->kept_values);
    free(work->origins);
    free(work->kept_origins);
}

enum status norm_filter_shard(const struct norm_filter *sieve, int64_t *dropped)
{
    struct work work = { .sieve = sieve };
    enum status st;

    *dropped = 0;
    MPI_Comm_rank(sieve->comm, &work.rank);
    MPI_Comm_size(sieve->comm, &work.size);
    TRY_ALL(sieve->comm, count_rows(&work));
    allocate_all(&work);
    for (int s = 0; work.rows > 0 && s < sieve->count; s++)
        TRY(mark_rows(&work, s));
    list_kept(&work);
    *dropped = work.rows - work.kept_rows;
    TRY(work.rows == 0 || work.kept_rows > 0 ? OK
        : refuse(E_USAGE, "all rows of %s are longer than %g medians in some stream; raise "
                 "harvest.max_norm", sieve->folder, sieve->most));
    for (int s = 0; *dropped > 0 && s < sieve->count; s++)
        TRY(drop_rows(&work, s));
    for (int s = 0; s < sieve->count; s++)
        TRY_ALL(sieve->comm, work.rank == 0 ? note_limit(&work, s) : OK);
done:
    free_all(&work);
    return st;
}
