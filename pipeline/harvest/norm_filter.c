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

/* A shard being filtered. */
struct work {
    const struct norm_filter *filter;
    int      rank, size;
    int64_t  rows, kept_rows;
    double  *limits;            /* [streams] */
    float   *norms, *sorted;    /* [rows] of one stream */
    bool    *dropped;           /* [rows] is the row dropped? */
    int64_t *kept;              /* [kept_rows] numbers of the other rows */
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

    path_print(path, "%s/%s.h5", work->filter->folder,
               site_tap_name(name, work->filter->streams[s].tap));
}

static enum status open_stream(struct activations *from, const struct work *work, int s)
{
    char paths[1][PATH_LENGTH];

    stream_path(paths[0], work, s);
    return activations_open(from, paths, NULL, 1);
}

/* --- the norms ----------------------------------------------------------------------- */

/* Rows of part number `part` of `parts`; each rank computes the norms of one part. */
static struct range part_of(int64_t rows, int part, int parts)
{
    struct range range = split_range(split_blocks(rows, PIECE), part, parts);

    range.first *= PIECE;
    range.end *= PIECE;
    range.first = range.first < rows ? range.first : rows;
    range.end = range.end < rows ? range.end : rows;
    return range;
}

static float norm_of(const void *values, int64_t row, struct stream stream, float *buffer)
{
    if (stream.store == STORE_F32)
        memcpy(buffer, (const float *)values + row * stream.width,
               (size_t)stream.width * sizeof *buffer);
    else
        bf16_to_float(buffer, (const uint16_t *)values + row * stream.width, stream.width);
    return (float)sqrt(values_sum_squares(buffer, stream.width));
}

/* Norms of this rank's part.  Local. */
static enum status measure_part(struct work *work, struct activations *from)
{
    const struct range mine = part_of(work->rows, work->rank, work->size);
    float *buffer = allocate(from->stream.width, sizeof *buffer);
    enum status st = OK;

    for (int64_t at = mine.first; at < mine.end; at += PIECE) {
        const int64_t end = at + PIECE < mine.end ? at + PIECE : mine.end;

        TRY(activations_read(from, (struct range){ at, end }, work->values, NULL));
        for (int64_t row = at; row < end; row++)
            work->norms[row] = norm_of(work->values, row - at, from->stream, buffer);
    }
done:
    free(buffer);
    return st;
}

/* Gather the parts of all ranks on every rank.  Collective. */
static void share_norms(struct work *work)
{
    int *counts = allocate(work->size, sizeof *counts);
    int *offsets = allocate(work->size, sizeof *offsets);

    for (int r = 0; r < work->size; r++) {
        const struct range part = part_of(work->rows, r, work->size);
        counts[r] = comm_count(part.end - part.first);
        offsets[r] = comm_count(part.first);
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, work->norms, counts, offsets, MPI_FLOAT,
                   work->filter->comm);
    free(offsets);
    free(counts);
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The median; of an even number of values, the smaller one of the two in the middle.
 *   sorted [count]  buffer */
static float median(float *sorted, const float *values, int64_t count)
{
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return sorted[(count - 1) / 2];
}

/* Mark the rows that are too long in stream `s`.  Collective. */
static enum status mark_rows(struct work *work, int s)
{
    struct activations from = {0};
    enum status st;

    TRY_ALL(work->filter->comm, open_stream(&from, work, s));
    TRY_ALL(work->filter->comm, measure_part(work, &from));
    share_norms(work);
    work->limits[s] = work->filter->most * (double)median(work->sorted, work->norms, work->rows);
    for (int64_t row = 0; row < work->rows; row++)
        work->dropped[row] |= (double)work->norms[row] > work->limits[s];
done:
    activations_close(&from);
    return st;
}

/* --- the rows that stay -------------------------------------------------------------- */

static void list_kept(struct work *work)
{
    for (int64_t row = 0; row < work->rows; row++)
        if (!work->dropped[row])
            work->kept[work->kept_rows++] = row;
}

/* Read the kept rows of these numbers.  Local. */
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
    const struct norm_filter *filter = work->filter;
    const struct identity identity = identity_of_stream(filter->identity, from->stream.tap);
    struct activation_writer writer = {0};
    enum status st;

    TRY(activation_writer_create(&writer, filter->comm, path, from->stream, work->kept_rows,
                                 &identity));
    for (int64_t first = 0; first < work->kept_rows; first += work->size * PIECE) {
        const int64_t at = first + work->rank * PIECE, rows = work->kept_rows;
        const struct range mine = { at < rows ? at : rows, at + PIECE < rows ? at + PIECE : rows };

        TRY_ALL(filter->comm, read_kept(work, from, mine));
        TRY(activation_writer_write(&writer, mine, work->kept_values, work->kept_origins));
    }
done:
    return activation_writer_close(&writer, st);
}

static enum status replace(const char *path, const char *part)
{
    return rename(part, path) == 0 ? OK : file_refuse("rename", part);
}

/* Replace a stream's file by one of the kept rows.  Collective. */
static enum status drop_rows(struct work *work, int s)
{
    struct activations from = {0};
    char path[PATH_LENGTH], part[PATH_LENGTH];
    MPI_Comm comm = work->filter->comm;
    enum status st;

    stream_path(path, work, s);
    path_print(part, "%s.part", path);
    TRY_ALL(comm, open_stream(&from, work, s));
    TRY(write_kept(work, &from, part));
    activations_close(&from);
    TRY_ROOT(comm, replace(path, part));
done:
    activations_close(&from);
    return st;
}

/* Write into a stream's file what the filter did. */
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

/* --- the filter ---------------------------------------------------------------------- */

/* Rows of the shard, as many in every stream.  Local. */
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
    const int64_t row = widest_row(work->filter->streams, work->filter->count);

    work->limits = allocate(work->filter->count, sizeof *work->limits);
    work->norms = allocate(work->rows, sizeof *work->norms);
    work->sorted = allocate(work->rows, sizeof *work->sorted);
    work->dropped = allocate(work->rows, sizeof *work->dropped);
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
    free(work->dropped);
    free(work->kept);
    free(work->values);
    free(work->kept_values);
    free(work->origins);
    free(work->kept_origins);
}

enum status norm_filter_shard(const struct norm_filter *filter, int64_t *dropped)
{
    struct work work = { .filter = filter };
    enum status st;

    *dropped = 0;
    MPI_Comm_rank(filter->comm, &work.rank);
    MPI_Comm_size(filter->comm, &work.size);
    TRY_ALL(filter->comm, count_rows(&work));
    allocate_all(&work);
    for (int s = 0; work.rows > 0 && s < filter->count; s++)
        TRY(mark_rows(&work, s));
    list_kept(&work);
    *dropped = work.rows - work.kept_rows;
    REQUIRE(work.rows == 0 || work.kept_rows > 0, E_USAGE, "all rows of %s are longer than %g "
            "medians in some stream; raise harvest.max_norm", filter->folder, filter->most);
    for (int s = 0; *dropped > 0 && s < filter->count; s++)
        TRY(drop_rows(&work, s));
    for (int s = 0; s < filter->count; s++)
        TRY_ROOT(filter->comm, note_limit(&work, s));
done:
    free_all(&work);
    return st;
}
