#include "shard/activation_writer.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "kernels/values.h"
#include "shard/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Write the attributes that are known from the start, and create the empty data sets. */
static enum status write_header(struct activation_writer *writer, const struct identity *identity)
{
    const struct stream stream = writer->stream;
    const char *path = writer->path;
    const hid_t file = writer->file;
    enum status st;

    TRY(h5_write_format(file, path, ACTIVATION_FORMAT, ACTIVATION_VERSION));
    TRY(h5_write_text(file, path, "site", site_name(stream.tap.site)));
    TRY(h5_write_int(file, path, "layer", stream.tap.layer));
    TRY(h5_write_text(file, path, "suite", identity->suite));
    TRY(identity_write(file, path, identity));
    TRY(h5_make_set(&writer->values, file, path, "activation", h5_store_type(stream.store),
                    writer->rows, stream.width, CHUNK_ROWS));
    TRY(h5_make_set(&writer->documents, file, path, "document", H5T_STD_I64LE, writer->rows, 0,
                    CHUNK_ROWS));
    TRY(h5_make_set(&writer->positions, file, path, "position", H5T_STD_I32LE, writer->rows, 0,
                    CHUNK_ROWS));
    TRY(h5_make_set(&writer->tokens, file, path, "token", H5T_STD_I32LE, writer->rows, 0,
                    CHUNK_ROWS));
done:
    return st;
}

/* Data that zstd cannot compress grow by less than a percent, and HDF5 adds some pages. */
int64_t activation_writer_bytes(int64_t rows, struct stream stream)
{
    const int64_t bytes = rows * (stream.width * store_bytes(stream.store)
                                  + (int64_t)sizeof(struct row_origin));

    return bytes + bytes / 64 + stream.width * (int64_t)sizeof(double) + (1 << 18);
}

enum status activation_writer_create(struct activation_writer *writer, MPI_Comm comm,
                                     const char *path, struct stream stream, int64_t rows,
                                     const struct identity *identity)
{
    const int64_t bytes = activation_writer_bytes(rows, stream);
    char purpose[64], name[32];
    enum status st;

    *writer = (struct activation_writer){
        .stream = stream, .rows = rows, .comm = comm,
        .file = -1, .values = -1, .documents = -1, .positions = -1, .tokens = -1,
    };
    path_print(writer->path, "%s", path);
    writer->statistics.rows = rows;
    writer->statistics.sum = allocate(stream.width, sizeof(double));
    snprintf(purpose, sizeof purpose, "a shard of %s", site_tap_name(name, stream.tap));
    h5_enter();
    TRY_ALL(comm, file_check_disk(path, bytes, purpose));
    TRY(h5_create(&writer->file, path, comm));
    TRY_ROOT(comm, file_reserve(path, bytes));
    TRY_ALL(comm, write_header(writer, identity));
done:
    h5_leave();
    return st;
}

enum status activation_writer_tell_source(struct activation_writer *writer,
                                          struct row_digest source)
{
    enum status st;

    h5_enter();
    TRY_ALL(writer->comm, h5_write_int(writer->file, writer->path, "source_rows", source.rows));
    TRY_ALL(writer->comm, h5_write_int(writer->file, writer->path, "source_hash",
                                       (int64_t)source.hash));
done:
    h5_leave();
    return st;
}

/* Write the origins, each member to a data set of its own. */
static enum status write_origins(struct activation_writer *writer, struct range range,
                                 const struct row_origin *origins)
{
    const int64_t rows = range_length(range);
    int64_t *documents = allocate(rows, sizeof *documents);
    int32_t *positions = allocate(rows, sizeof *positions);
    int32_t *tokens = allocate(rows, sizeof *tokens);
    enum status st, next;

    for (int64_t row = 0; row < rows; row++) {
        documents[row] = origins[row].document;
        positions[row] = origins[row].position;
        tokens[row] = origins[row].token;
    }
    /* The calls are collective, so all three are made even if the first one fails. */
    st = h5_write_rows(writer->documents, writer->path, H5T_NATIVE_INT64, h5_collective(),
                       range.first, rows, 0, documents);
    next = h5_write_rows(writer->positions, writer->path, H5T_NATIVE_INT32, h5_collective(),
                         range.first, rows, 0, positions);
    st = st != OK ? st : next;
    next = h5_write_rows(writer->tokens, writer->path, H5T_NATIVE_INT32, h5_collective(),
                         range.first, rows, 0, tokens);
    st = st != OK ? st : next;
    free(tokens);
    free(positions);
    free(documents);
    return st;
}

enum status activation_writer_write(struct activation_writer *writer, struct range range,
                                    const void *values, const struct row_origin *origins)
{
    const hid_t type = h5_store_type(writer->stream.store);
    const int64_t rows = range_length(range);
    enum status st;

    assert(rows == 0 || (range.first % CHUNK_ROWS == 0 && range.end <= writer->rows));
    assert(rows == 0 || range.end % CHUNK_ROWS == 0 || range.end == writer->rows);

    TRY_ALL(writer->comm, statistics_add(&writer->statistics, writer->comm,
                                         writer->stream, range, values, origins, writer->path));
    h5_enter();
    st = agree_in_time(writer->comm, h5_write_rows(writer->values, writer->path, type,
                                                   h5_collective(), range.first, rows,
                                                   writer->stream.width, values));
    if (st == OK)
        st = agree_in_time(writer->comm, write_origins(writer, range, origins));
    h5_leave();
done:
    return st;
}

/* The sums are on rank 0; attributes must be written by all ranks with the same value. */
static enum status write_statistics(struct activation_writer *writer)
{
    struct row_statistics *all = &writer->statistics;
    const int32_t width = writer->stream.width;
    hid_t set = -1;
    enum status st;
    int rank;

    MPI_Comm_rank(writer->comm, &rank);
    MPI_Bcast(&all->sum_squares, 1, MPI_DOUBLE, 0, writer->comm);
    TRY(h5_write_double(writer->file, writer->path, "sum_squares", all->sum_squares));
    TRY(h5_write_int(writer->file, writer->path, "hash", (int64_t)all->hash));
    TRY(h5_make_set(&set, writer->file, writer->path, "sum", H5T_IEEE_F64LE, width, 0, width));
    TRY(h5_write_rows(set, writer->path, H5T_NATIVE_DOUBLE, h5_collective(), 0,
                      rank == 0 ? width : 0, 0, all->sum));
done:
    return h5_close_set(&set, writer->path, st);
}

enum status activation_writer_close(struct activation_writer *writer, enum status st)
{
    hid_t *const sets[] = { &writer->values, &writer->documents, &writer->positions,
                            &writer->tokens };
    int rank;

    if (writer->path[0] == '\0')
        return st;
    h5_enter();
    if (st == OK)
        st = agree_in_time(writer->comm, write_statistics(writer));
    comm_broken |= writer->file >= 0 && (st == E_IO || st == E_SPACE);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (!comm_broken)
            st = h5_close_set(sets[i], writer->path, st);
    if (!comm_broken)
        st = h5_close(&writer->file, writer->path, st);
    h5_leave();
    MPI_Comm_rank(writer->comm, &rank);
    if (st == OK && rank == 0)
        st = file_trim(writer->path);
    free(writer->statistics.sum);
    st = agree(writer->comm, st);
    *writer = (struct activation_writer){0};
    return st;
}
