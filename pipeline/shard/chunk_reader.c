#include "shard/chunk_reader.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/minmax.h"
#include "base/phase.h"
#include "kernels/bytes.h"
#include "shard/filter.h"
#include "shard/frame.h"

#include <stdlib.h>
#include <unistd.h>

/* --- finding --------------------------------------------------------------------------- */

static H5Z_filter_t filter_number(hid_t list, unsigned index)
{
    unsigned flags, config;
    size_t parameters = 0;

    return H5Pget_filter2(list, index, &flags, &parameters, NULL, 0, NULL, &config);
}

/* Are chunks byte-shuffled and then zstd-compressed, as h5_make_set() does it? */
static bool compressed_as_ours(hid_t list)
{
    return H5Pget_layout(list) == H5D_CHUNKED && H5Pget_nfilters(list) == 2
           && filter_number(list, 0) == H5Z_FILTER_SHUFFLE
           && filter_number(list, 1) == ZSTD_FILTER;
}

/* Read the shape and the chunk size of the data set, and check its compression. */
static enum status describe(struct chunk_reader *reader, hid_t set, hid_t file)
{
    const hid_t list = H5Dget_create_plist(set), type = H5Dget_type(set);
    hsize_t chunk[2] = { 1, 1 };
    int64_t columns;
    int *descriptor;
    enum status st;

    TRY(h5_shape(file, reader->path, reader->name, &reader->rows, &columns));
    REQUIRE(compressed_as_ours(list) && H5Pget_chunk(list, 2, chunk) >= 1
            && (columns == 0 || (int64_t)chunk[1] == columns), E_FORMAT,
            "data set '%s' of %s is not compressed as this program does it; make the file again",
            reader->name, reader->path);
    TRY(H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&descriptor) >= 0
        ? OK : h5_refuse(E_IO, "read", reader->path));
    reader->file = *descriptor;
    reader->chunk = (int64_t)chunk[0];
    reader->columns = columns > 0 ? columns : 1;
    reader->size = (int)H5Tget_size(type);
    reader->count = split_blocks(reader->rows, reader->chunk);
done:
    H5Tclose(type);
    H5Pclose(list);
    return st;
}

static int64_t chunk_bytes(const struct chunk_reader *reader)
{
    return reader->chunk * reader->columns * reader->size;
}

/* Ask HDF5 where each chunk lies in the file. */
static enum status find_places(struct chunk_reader *reader, hid_t set)
{
    const size_t most = frame_bound((size_t)chunk_bytes(reader));

    reader->places = allocate(reader->count, sizeof *reader->places);
    for (int64_t c = 0; c < reader->count; c++) {
        const hsize_t first[2] = { (hsize_t)(c * reader->chunk), 0 };
        unsigned skipped;
        haddr_t at;
        hsize_t bytes;

        if (H5Dget_chunk_info_by_coord(set, first, &skipped, &at, &bytes) < 0)
            return h5_refuse(E_FORMAT, "read", reader->path);
        if (at == HADDR_UNDEF || skipped != 0 || bytes > most)
            return refuse(E_FORMAT, "%s is damaged: it lacks rows from %lld on; make it again",
                          reader->path, (long long)first[0]);
        reader->places[c] = (struct chunk_place){ (int64_t)at, (int64_t)bytes };
    }
    return OK;
}

int64_t chunk_reader_bytes(int64_t bytes)
{
    return bytes + (int64_t)frame_bound((size_t)bytes);
}

enum status chunk_reader_find(struct chunk_reader *reader, hid_t file, const char *path,
                              const char *name)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    enum status st;

    *reader = (struct chunk_reader){ .path = path, .name = name, .held = -1 };
    TRY(set >= 0 ? OK : h5_refuse(E_FORMAT, "read", path));
    TRY(describe(reader, set, file));
    TRY(find_places(reader, set));
    reader->planes = allocate(chunk_reader_bytes(chunk_bytes(reader)), 1);
    reader->frame = reader->planes + chunk_bytes(reader);
done:
    if (set >= 0)
        H5Dclose(set);
    return st;
}

void chunk_reader_free(struct chunk_reader *reader)
{
    free(reader->planes);
    free(reader->places);
    *reader = (struct chunk_reader){0};
}

/* --- reading --------------------------------------------------------------------------- */

static enum status damaged(const struct chunk_reader *reader, int64_t chunk)
{
    return refuse(E_FORMAT, "%s is damaged: the chunk of rows %lld to %lld cannot be decompressed "
                  "to what was written; remove the folder it is in and run the same command again "
                  "to make it again", reader->path, (long long)(chunk * reader->chunk),
                  (long long)((chunk + 1) * reader->chunk - 1));
}

/* Read a chunk and decompress it into `planes`. */
static enum status load_chunk(struct chunk_reader *reader, int64_t chunk)
{
    const struct chunk_place place = reader->places[chunk];
    const enum phase before = phase_enter(PHASE_READ);
    const ssize_t got = pread(reader->file, reader->frame, (size_t)place.bytes, place.at);
    bool good;

    reader->held = -1;
    phase_enter(PHASE_DECOMPRESS);
    good = got == place.bytes && frame_open(reader->planes, (size_t)chunk_bytes(reader),
                                            reader->frame, (size_t)place.bytes);
    phase_enter(before);
    if (got < 0)
        return file_refuse("read", reader->path);
    if (!good)
        return damaged(reader, chunk);
    reader->held = chunk;
    return OK;
}

enum status chunk_reader_read(struct chunk_reader *reader, struct range rows, void *to,
                              int64_t stride)
{
    const int64_t columns = reader->columns, plane = reader->chunk * columns;
    enum status st = OK;

    for (int64_t row = rows.first; row < rows.end; ) {
        const int64_t chunk = row / reader->chunk, first = chunk * reader->chunk;
        const int64_t end = min_int64(first + reader->chunk, rows.end);

        if (reader->held != chunk)
            TRY(load_chunk(reader, chunk));
        const enum phase before = phase_enter(PHASE_DECOMPRESS);
        for (; row < end; row++)
            bytes_together((char *)to + (row - rows.first) * stride,
                           reader->planes + (row - first) * columns, plane, columns,
                           reader->size);
        phase_enter(before);
    }
done:
    return st;
}
