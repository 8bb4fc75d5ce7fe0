#include "shard/activations.h"
#include "kernels/bf16.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const char FORMAT[] = "saemill activations";
enum { VERSION = 1 };

/* --- statistics -------------------------------------------------------------------- */

/* One chunk's share of the statistics, as it travels to rank 0: `2 + width` doubles. */
enum { PARTIAL_CHUNK, PARTIAL_SQUARES, PARTIAL_SUM };

/* `width` values of a row as floats: in place if they are, else converted into `room`. */
static const float *row_floats(const void *values, int64_t row, struct stream stream, float *room)
{
    if (stream.store == STORE_F32)
        return (const float *)values + row * stream.width;
    bf16_to_float(room, (const uint16_t *)values + row * stream.width, stream.width);
    return room;
}

static void add_chunk(double *partial, int64_t chunk, int64_t first, int64_t end,
                      const void *values, struct stream stream, float *room)
{
    partial[PARTIAL_CHUNK] = (double)chunk;
    for (int64_t row = first; row < end; row++) {
        const float *x = row_floats(values, row, stream, room);
        partial[PARTIAL_SQUARES] += sum_squares(x, stream.width);
        for (int32_t i = 0; i < stream.width; i++)
            partial[PARTIAL_SUM + i] += (double)x[i];
    }
}

static uint64_t hash_rows(const void *values, const struct row_origin *origins, int64_t rows,
                          struct stream stream)
{
    const size_t bytes = (size_t)(stream.width * store_bytes(stream.store));
    uint64_t sum = 0;

    for (int64_t row = 0; row < rows; row++) {
        const uint64_t origin = XXH3_64bits(&origins[row], sizeof *origins);
        sum += XXH3_64bits_withSeed((const char *)values + (size_t)row * bytes, bytes, origin);
    }
    return sum;
}

static int by_chunk(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Rank 0 collects every rank's partials and adds them in chunk order, so that the sums do
 * not depend on who computed them. */
static void add_partials(struct activation_writer *writer, double *mine, int64_t chunks)
{
    const int each = writer->stream.width + PARTIAL_SUM;
    int rank, size, count = mpi_count(chunks * each), total = 0;
    int *counts = NULL, *places = NULL;
    double *all = NULL;

    MPI_Comm_rank(writer->comm, &rank);
    MPI_Comm_size(writer->comm, &size);
    if (rank == 0) {
        counts = allocate(size, sizeof *counts);
        places = allocate(size, sizeof *places);
    }
    MPI_Gather(&count, 1, MPI_INT, counts, 1, MPI_INT, 0, writer->comm);
    for (int r = 0; rank == 0 && r < size; r++) {
        places[r] = total;
        total += counts[r];
    }
    if (rank == 0)
        all = allocate(total, sizeof *all);
    MPI_Gatherv(mine, count, MPI_DOUBLE, all, counts, places, MPI_DOUBLE, 0, writer->comm);
    if (rank == 0)
        qsort(all, (size_t)(total / each), (size_t)each * sizeof *all, by_chunk);
    for (const double *partial = all; rank == 0 && partial < all + total; partial += each) {
        writer->statistics.sum_squares += partial[PARTIAL_SQUARES];
        for (int32_t i = 0; i < writer->stream.width; i++)
            writer->statistics.sum[i] += partial[PARTIAL_SUM + i];
    }
    free(all);
    free(places);
    free(counts);
}

/* Collective; E_NUMERIC is this rank's own finding. */
static enum status gather_statistics(struct activation_writer *writer, struct range range,
                                     const void *values, const struct row_origin *origins)
{
    const struct stream stream = writer->stream;
    const int64_t rows = range.end - range.first, chunks = split_blocks(rows, CHUNK_ROWS);
    const int each = stream.width + PARTIAL_SUM;
    double *partials = allocate(chunks * each, sizeof *partials);
    float *room = allocate(stream.width, sizeof *room);
    uint64_t hash = hash_rows(values, origins, rows, stream);
    enum status st = OK;
    char name[32];

    for (int64_t c = 0; c < chunks; c++) {
        const struct range block = split_block(rows, CHUNK_ROWS, c);
        add_chunk(partials + c * each, range.first / CHUNK_ROWS + c, block.first, block.end,
                  values, stream, room);
        if (!isfinite(partials[c * each + PARTIAL_SQUARES]))
            st = refuse(E_NUMERIC, "%s: a value in rows %lld to %lld of %s is not finite",
                        tap_name(name, stream.tap), (long long)(range.first + block.first),
                        (long long)(range.first + block.end - 1), writer->path);
    }
    MPI_Allreduce(MPI_IN_PLACE, &hash, 1, MPI_UINT64_T, MPI_SUM, writer->comm);
    writer->statistics.hash += hash;
    add_partials(writer, partials, chunks);
    free(room);
    free(partials);
    return st;
}

/* --- writing ----------------------------------------------------------------------- */

static enum status write_header(struct activation_writer *writer, const char *suite)
{
    const struct stream stream = writer->stream;
    const char *path = writer->path;
    const hid_t file = writer->file;
    enum status st;

    TRY(h5_write_format(file, path, FORMAT, VERSION));
    TRY(h5_write_text(file, path, "site", site_name(stream.tap.site)));
    TRY(h5_write_int(file, path, "layer", stream.tap.layer));
    TRY(h5_write_text(file, path, "suite", suite));
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

/* The most that a shard can take: zstd grows what it cannot shrink by less than a percent, and
 * HDF5 keeps some pages of its own. */
static int64_t most_bytes(int64_t rows, struct stream stream)
{
    const int64_t bytes = rows * (stream.width * store_bytes(stream.store)
                                  + (int64_t)sizeof(struct row_origin));

    return bytes + bytes / 64 + stream.width * (int64_t)sizeof(double) + (1 << 18);
}

enum status activation_create(struct activation_writer *writer, MPI_Comm comm, const char *path,
                              struct stream stream, int64_t rows, const char *suite)
{
    const int64_t bytes = most_bytes(rows, stream);
    char purpose[64], name[32];
    enum status st;
    int rank;

    *writer = (struct activation_writer){
        .stream = stream, .rows = rows, .comm = comm,
        .file = -1, .values = -1, .documents = -1, .positions = -1, .tokens = -1,
    };
    path_print(writer->path, "%s", path);
    writer->statistics.rows = rows;
    writer->statistics.sum = allocate(stream.width, sizeof(double));
    snprintf(purpose, sizeof purpose, "a shard of %s", tap_name(name, stream.tap));
    MPI_Comm_rank(comm, &rank);
    TRY_ALL(comm, disk_check(path, bytes, purpose));
    TRY(h5_create(&writer->file, path, comm));
    TRY_ALL(comm, rank == 0 ? file_reserve(path, bytes) : OK);
    TRY_ALL(comm, write_header(writer, suite));
done:
    return st;
}

/* The columns of the origins, one data set each. */
static enum status write_origins(struct activation_writer *writer, struct range range,
                                 const struct row_origin *origins)
{
    const int64_t rows = range.end - range.first;
    int64_t *documents = allocate(rows, sizeof *documents);
    int32_t *positions = allocate(rows, sizeof *positions);
    int32_t *tokens = allocate(rows, sizeof *tokens);
    enum status st, next;

    for (int64_t row = 0; row < rows; row++) {
        documents[row] = origins[row].document;
        positions[row] = origins[row].position;
        tokens[row] = origins[row].token;
    }
    /* Collective calls: all three are made whatever becomes of the first. */
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

enum status activation_write(struct activation_writer *writer, struct range range,
                             const void *values, const struct row_origin *origins)
{
    const hid_t type = h5_store_type(writer->stream.store);
    const int64_t rows = range.end - range.first;
    enum status st;

    assert(rows == 0 || (range.first % CHUNK_ROWS == 0 && range.end <= writer->rows));
    assert(rows == 0 || range.end % CHUNK_ROWS == 0 || range.end == writer->rows);

    TRY_ALL(writer->comm, gather_statistics(writer, range, values, origins));
    TRY(agree_in_time(writer->comm, h5_write_rows(writer->values, writer->path, type,
                                                  h5_collective(), range.first, rows,
                                                  writer->stream.width, values)));
    TRY(agree_in_time(writer->comm, write_origins(writer, range, origins)));
done:
    return st;
}

/* Rank 0 has the sums; all ranks write the same attributes. */
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
    if (set >= 0)
        H5Dclose(set);
    return st;
}

enum status activation_close(struct activation_writer *writer, enum status st)
{
    const hid_t sets[] = { writer->values, writer->documents, writer->positions, writer->tokens };
    int rank;

    if (writer->path[0] == '\0')
        return st;
    if (st == OK)
        st = agree_in_time(writer->comm, write_statistics(writer));
    comm_broken |= writer->file >= 0 && (st == E_IO || st == E_ROOM);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i] >= 0 && !comm_broken)
            H5Dclose(sets[i]);
    if (!comm_broken)
        st = h5_close(&writer->file, writer->path, st);
    MPI_Comm_rank(writer->comm, &rank);
    if (st == OK && rank == 0)
        st = file_trim(writer->path);
    free(writer->statistics.sum);
    st = agree(writer->comm, st);
    *writer = (struct activation_writer){0};
    return st;
}

/* --- reading ----------------------------------------------------------------------- */

struct shard_header {
    struct stream stream;
    int64_t       rows;
    double        sum_squares;
    int64_t       hash;
};

static enum status read_store(enum store *store, hid_t file, const char *path)
{
    const hid_t set = H5Dopen2(file, "activation", H5P_DEFAULT);
    const hid_t type = set >= 0 ? H5Dget_type(set) : -1;
    enum status st = OK;

    if (type >= 0 && H5Tequal(type, h5_bf16()) > 0)
        *store = STORE_BF16;
    else if (type >= 0 && H5Tequal(type, H5T_IEEE_F32LE) > 0)
        *store = STORE_F32;
    else
        st = refuse(E_FORMAT, "the activations of %s are neither bf16 nor f32", path);
    if (type >= 0)
        H5Tclose(type);
    if (set >= 0)
        H5Dclose(set);
    return st;
}

static enum status read_header(struct shard_header *header, hid_t file, const char *path)
{
    int64_t layer, width;
    char *site = NULL;
    enum status st;

    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_text(file, path, "site", &site));
    TRY(site_parse(&header->stream.tap.site, site));
    TRY(h5_read_int(file, path, "layer", &layer));
    TRY(h5_read_double(file, path, "sum_squares", &header->sum_squares));
    TRY(h5_read_int(file, path, "hash", &header->hash));
    TRY(h5_shape(file, path, "activation", &header->rows, &width));
    TRY(read_store(&header->stream.store, file, path));
    header->stream.tap.layer = (int)layer;
    header->stream.width = (int32_t)width;
done:
    free(site);
    return st;
}

static bool same_stream(struct stream a, struct stream b)
{
    return a.tap.site == b.tap.site && a.tap.layer == b.tap.layer && a.width == b.width &&
           a.store == b.store;
}

/* Take shard number `shard` into the account. */
static enum status add_shard(struct activations *activations, int shard)
{
    const char *path = activations->paths[shard];
    struct row_statistics *all = &activations->statistics;
    struct shard_header header;
    double *sum = NULL;
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(read_header(&header, file, path));
    if (shard == 0) {
        activations->stream = header.stream;
        all->sum = allocate(header.stream.width, sizeof *all->sum);
    }
    TRY(!same_stream(header.stream, activations->stream)
        ? refuse(E_FORMAT, "%s holds another stream than %s", path, activations->paths[0]) : OK);
    sum = allocate(header.stream.width, sizeof *sum);
    TRY(h5_read_array(file, path, "sum", H5T_NATIVE_DOUBLE, sum, header.stream.width, 0));
    for (int32_t i = 0; i < header.stream.width; i++)
        all->sum[i] += sum[i];
    all->rows += header.rows;
    all->sum_squares += header.sum_squares;
    all->hash += (uint64_t)header.hash;
    activations->before[shard + 1] = all->rows;
done:
    free(sum);
    return h5_close(&file, path, st);
}

enum status activations_open(struct activations *activations, char (*paths)[PATH_LENGTH],
                             int shards)
{
    enum status st = OK;

    *activations = (struct activations){ .shards = shards, .open = -1, .file = -1 };
    activations->paths = allocate(shards, sizeof *paths);
    activations->before = allocate(shards + 1, sizeof *activations->before);
    memcpy(activations->paths, paths, (size_t)shards * sizeof *paths);
    for (int shard = 0; shard < shards; shard++)
        TRY(add_shard(activations, shard));
done:
    return st;
}

void activations_close(struct activations *activations)
{
    if (activations->paths != NULL)
        h5_close(&activations->file, "", E_IO);
    free(activations->statistics.sum);
    free(activations->before);
    free(activations->paths);
    *activations = (struct activations){0};
}

static enum status use_shard(struct activations *activations, int shard)
{
    enum status st;

    if (activations->open == shard)
        return OK;
    h5_close(&activations->file, "", E_IO);
    activations->open = -1;
    TRY(h5_open(&activations->file, activations->paths[shard]));
    activations->open = shard;
done:
    return st;
}

static enum status read_set(hid_t file, const char *path, const char *name, hid_t type,
                            struct range rows, int64_t columns, void *values)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    enum status st;

    if (set < 0)
        return h5_refuse(E_FORMAT, "read", path);
    st = h5_read_rows(set, path, type, rows.first, rows.end - rows.first, columns, values);
    H5Dclose(set);
    return st;
}

/* All columns of some rows of one shard. */
static enum status read_columns(struct activations *activations, struct range rows,
                                void *values, struct row_origin *origins)
{
    const char *path = activations->paths[activations->open];
    const int64_t count = origins != NULL ? rows.end - rows.first : 0;
    int64_t *documents = allocate(count, sizeof *documents);
    int32_t *positions = allocate(count, sizeof *positions);
    int32_t *tokens = allocate(count, sizeof *tokens);
    const hid_t file = activations->file;
    enum status st;

    TRY(read_set(file, path, "activation", h5_store_type(activations->stream.store), rows,
                 activations->stream.width, values));
    if (origins != NULL) {
        TRY(read_set(file, path, "document", H5T_NATIVE_INT64, rows, 0, documents));
        TRY(read_set(file, path, "position", H5T_NATIVE_INT32, rows, 0, positions));
        TRY(read_set(file, path, "token", H5T_NATIVE_INT32, rows, 0, tokens));
    }
    for (int64_t row = 0; row < count; row++)
        origins[row] = (struct row_origin){ documents[row], positions[row], tokens[row] };
done:
    free(tokens);
    free(positions);
    free(documents);
    return st;
}

/* A read failed: find the first chunk that cannot be read, and say so. */
static enum status name_bad_chunk(struct activations *activations, struct range rows,
                                  void *values, struct row_origin *origins, enum status st)
{
    for (int64_t at = rows.first; at < rows.end; ) {
        const int64_t next = (at / CHUNK_ROWS + 1) * CHUNK_ROWS;
        const struct range chunk = { at, next < rows.end ? next : rows.end };

        status_clear();
        if (read_columns(activations, chunk, values, origins) != OK) {
            status_clear();
            return refuse(E_FORMAT, "%s is damaged: the chunk of rows %lld to %lld cannot be "
                          "decompressed to what was written; remove the folder it is in and run "
                          "the same command again to make it anew", activations->paths[activations->open],
                          (long long)(at / CHUNK_ROWS * CHUNK_ROWS), (long long)(next - 1));
        }
        at = next;
    }
    return refuse(st, "%s could not be read at first, but could then: check the disk",
                  activations->paths[activations->open]);
}

enum status activations_read(struct activations *activations, struct range range,
                             void *values, struct row_origin *origins)
{
    const int64_t row_bytes = activations->stream.width * store_bytes(activations->stream.store);
    int shard = 0;

    assert(0 <= range.first && range.end <= activations->statistics.rows);
    for (int64_t at = range.first; at < range.end; ) {
        while (activations->before[shard + 1] <= at)
            shard++;
        const int64_t start = activations->before[shard], stop = activations->before[shard + 1];
        const struct range rows = { at - start, (stop < range.end ? stop : range.end) - start };
        enum status st = use_shard(activations, shard);

        if (st != OK)
            return st;
        st = read_columns(activations, rows, values, origins);
        if (st != OK)
            return name_bad_chunk(activations, rows, values, origins, st);
        values = (char *)values + (rows.end - rows.first) * row_bytes;
        origins = origins != NULL ? origins + (rows.end - rows.first) : NULL;
        at += rows.end - rows.first;
    }
    return OK;
}
