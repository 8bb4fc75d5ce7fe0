#include "shard/chunk_reader.h"
#include "base/allocate.h"
#include "base/file.h"
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

/* Do the chunks go through HDF5's byte shuffle, then zstd, as h5_make_set() wants it? */
static bool compressed_as_ours(hid_t list)
{
    return H5Pget_layout(list) == H5D_CHUNKED && H5Pget_nfilters(list) == 2
           && filter_number(list, 0) == H5Z_FILTER_SHUFFLE
           && filter_number(list, 1) == ZSTD_FILTER;
}

static enum status describe(struct chunk_reader *chunks, hid_t set, hid_t file)
{
    const hid_t list = H5Dget_create_plist(set), type = H5Dget_type(set);
    hsize_t chunk[2] = { 1, 1 };
    int64_t columns;
    int *descriptor;
    enum status st;

    TRY(h5_shape(file, chunks->path, chunks->name, &chunks->rows, &columns));
    TRY(!compressed_as_ours(list) || H5Pget_chunk(list, 2, chunk) < 1
        || (columns > 0 && (int64_t)chunk[1] != columns)
        ? refuse(E_FORMAT, "data set '%s' of %s is not compressed as this program does it; make "
                 "the file anew", chunks->name, chunks->path) : OK);
    TRY(H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&descriptor) < 0
        ? h5_refuse(E_IO, "read", chunks->path) : OK);
    chunks->file = *descriptor;
    chunks->chunk = (int64_t)chunk[0];
    chunks->columns = columns > 0 ? columns : 1;
    chunks->size = (int)H5Tget_size(type);
    chunks->count = split_blocks(chunks->rows, chunks->chunk);
done:
    H5Tclose(type);
    H5Pclose(list);
    return st;
}

static int64_t chunk_bytes(const struct chunk_reader *chunks)
{
    return chunks->chunk * chunks->columns * chunks->size;
}

static enum status find_places(struct chunk_reader *chunks, hid_t set)
{
    const size_t most = frame_bound((size_t)chunk_bytes(chunks));

    chunks->places = allocate(chunks->count, sizeof *chunks->places);
    for (int64_t c = 0; c < chunks->count; c++) {
        const hsize_t first[2] = { (hsize_t)(c * chunks->chunk), 0 };
        unsigned skipped;
        haddr_t at;
        hsize_t bytes;

        if (H5Dget_chunk_info_by_coord(set, first, &skipped, &at, &bytes) < 0)
            return h5_refuse(E_FORMAT, "read", chunks->path);
        if (at == HADDR_UNDEF || skipped != 0 || bytes > most)
            return refuse(E_FORMAT, "%s is damaged: it lacks rows from %lld on; make it anew",
                          chunks->path, (long long)first[0]);
        chunks->places[c] = (struct chunk_place){ (int64_t)at, (int64_t)bytes };
    }
    return OK;
}

int64_t chunk_reader_bytes(int64_t bytes)
{
    return bytes + (int64_t)frame_bound((size_t)bytes);
}

enum status chunk_reader_find(struct chunk_reader *chunks, hid_t file, const char *path, const char *name)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    enum status st;

    *chunks = (struct chunk_reader){ .path = path, .name = name, .held = -1 };
    TRY(set < 0 ? h5_refuse(E_FORMAT, "read", path) : OK);
    TRY(describe(chunks, set, file));
    TRY(find_places(chunks, set));
    chunks->planes = allocate(chunk_reader_bytes(chunk_bytes(chunks)), 1);
    chunks->frame = chunks->planes + chunk_bytes(chunks);
done:
    if (set >= 0)
        H5Dclose(set);
    return st;
}

void chunk_reader_free(struct chunk_reader *chunks)
{
    free(chunks->planes);
    free(chunks->places);
    *chunks = (struct chunk_reader){0};
}

/* --- reading --------------------------------------------------------------------------- */

static enum status damaged(const struct chunk_reader *chunks, int64_t chunk)
{
    return refuse(E_FORMAT, "%s is damaged: the chunk of rows %lld to %lld cannot be decompressed "
                  "to what was written; remove the folder it is in and run the same command again "
                  "to make it anew", chunks->path, (long long)(chunk * chunks->chunk),
                  (long long)((chunk + 1) * chunks->chunk - 1));
}

/* The whole of a chunk into `planes`. */
static enum status hold(struct chunk_reader *chunks, int64_t chunk)
{
    const struct chunk_place place = chunks->places[chunk];
    const enum phase before = phase_enter(PHASE_READ);
    const ssize_t got = pread(chunks->file, chunks->frame, (size_t)place.bytes, place.at);
    bool good;

    chunks->held = -1;
    phase_enter(PHASE_DECOMPRESS);
    good = got == place.bytes && frame_open(chunks->planes, (size_t)chunk_bytes(chunks),
                                            chunks->frame, (size_t)place.bytes);
    phase_enter(before);
    if (got < 0)
        return file_refuse("read", chunks->path);
    if (!good)
        return damaged(chunks, chunk);
    chunks->held = chunk;
    return OK;
}

enum status chunk_reader_read(struct chunk_reader *chunks, struct range rows, void *to, int64_t stride)
{
    const int64_t columns = chunks->columns, plane = chunks->chunk * columns;
    enum status st = OK;

    for (int64_t row = rows.first; row < rows.end; ) {
        const int64_t chunk = row / chunks->chunk, first = chunk * chunks->chunk;
        const int64_t end = first + chunks->chunk < rows.end ? first + chunks->chunk : rows.end;

        if (chunks->held != chunk)
            TRY(hold(chunks, chunk));
        const enum phase before = phase_enter(PHASE_DECOMPRESS);
        for (; row < end; row++)
            bytes_together((char *)to + (row - rows.first) * stride,
                           chunks->planes + (row - first) * columns, plane, columns,
                           chunks->size);
        phase_enter(before);
    }
done:
    return st;
}
