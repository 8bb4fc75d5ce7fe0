#include "train/tensorfile.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

enum { TAG = 11 };

/* What two ranges have in common; empty if nothing. */
static struct range overlap(struct range a, struct range b)
{
    const int64_t first = max_int64(a.first, b.first);

    return (struct range){ first, max_int64(first, min_int64(a.end, b.end)) };
}

/* The values of some rows that a rank holds. */
static const float *rows_of(const struct tensor *tensor, const float *values, struct range rows)
{
    return values + (rows.first - tensor->own_rows.first) * range_length(tensor->own_columns);
}

/* Copy a rectangle to its place in the tile.
 *   tile   [tile_rows, width]   out
 *   from   [rows, columns]      in */
static void place(float *tile, struct range tile_rows, int64_t width, struct range rows,
                  struct range columns, const float *from)
{
    const int64_t count = range_length(columns);

    for (int64_t i = rows.first; i < rows.end; i++)
        memcpy(tile + (i - tile_rows.first) * width + columns.first,
               from + (i - rows.first) * count, (size_t)count * sizeof *tile);
}

/* Send a tile of whole rows to rank 0.
 *   tile      [tile_rows, columns]  out, on rank 0
 *   received  as large as the tile: scratch
 *   owned     [ranks][2]            rows and columns of every rank */
static void collect(float *tile, float *received, struct range tile_rows,
                    const struct tensor *tensor, const float *values, struct range (*owned)[2],
                    MPI_Comm comm)
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    const struct range mine = overlap(tensor->own_rows, tile_rows);
    const int64_t count = range_length(mine) * range_length(tensor->own_columns);
    if (rank > 0 && count > 0)
        MPI_Send(rows_of(tensor, values, mine), comm_count(count), MPI_FLOAT, 0, TAG, comm);
    if (rank > 0)
        return;
    if (count > 0)
        place(tile, tile_rows, tensor->columns, mine, tensor->own_columns,
              rows_of(tensor, values, mine));
    for (int r = 1; r < size; r++) {
        const struct range rows = overlap(owned[r][0], tile_rows);
        const int64_t n = range_length(rows) * range_length(owned[r][1]);
        if (n == 0)
            continue;
        MPI_Recv(received, comm_count(n), MPI_FLOAT, r, TAG, comm, MPI_STATUS_IGNORE);
        place(tile, tile_rows, tensor->columns, rows, owned[r][1], received);
    }
}

enum status tensorfile_write(const struct tensor *tensor, const float *values, hid_t file,
                             const char *path, const char *name, MPI_Comm comm)
{
    const struct range mine[2] = { tensor->own_rows, tensor->own_columns };
    const int64_t columns = tensor->columns > 1 ? tensor->columns : 0;
    const int64_t tile_bytes = LATENT_TILE * tensor->columns * (int64_t)sizeof(float);
    struct range (*owned)[2];
    int rank, size;
    hid_t set = -1;
    enum status st = OK;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    owned = allocate(size, sizeof *owned);
    float *tile = allocate(1, tile_bytes), *received = allocate(1, tile_bytes);
    MPI_Allgather(mine, sizeof mine, MPI_BYTE, owned, sizeof mine, MPI_BYTE, comm);
    if (rank == 0)
        st = h5_make_set(&set, file, path, name, H5T_NATIVE_FLOAT, tensor->rows, columns,
                         LATENT_TILE);
    for (int64_t t = 0; t < split_blocks(tensor->rows, LATENT_TILE); t++) {
        const struct range rows = split_block(tensor->rows, LATENT_TILE, t);
        collect(tile, received, rows, tensor, values, owned, comm);
        if (rank == 0 && st == OK)
            st = h5_write_rows(set, path, H5T_NATIVE_FLOAT, H5P_DEFAULT, rows.first,
                               range_length(rows), columns, tile);
    }
    st = h5_close_set(&set, path, st);
    free(received);
    free(tile);
    free(owned);
    return agree(comm, st);
}

enum status tensorfile_read(const struct tensor *tensor, float *values, hid_t file,
                            const char *path, const char *name)
{
    const int64_t columns = tensor->columns > 1 ? tensor->columns : 0;
    const int64_t width = range_length(tensor->own_columns);
    float *tile = allocate(LATENT_TILE * tensor->columns, sizeof *tile);
    int64_t rows_found, columns_found;
    hid_t set = -1;
    enum status st;

    TRY(h5_shape(file, path, name, &rows_found, &columns_found));
    REQUIRE(rows_found == tensor->rows && columns_found == columns, E_FORMAT,
            "'%s' of %s has the wrong shape", name, path);
    set = H5Dopen2(file, name, H5P_DEFAULT);
    for (int64_t at = tensor->own_rows.first; at < tensor->own_rows.end; at += LATENT_TILE) {
        const struct range rows = overlap(tensor->own_rows,
                                          (struct range){ at, at + LATENT_TILE });
        TRY(h5_read_rows(set, path, H5T_NATIVE_FLOAT, rows.first, range_length(rows), columns,
                         tile));
        for (int64_t i = rows.first; i < rows.end; i++)
            memcpy(values + (i - tensor->own_rows.first) * width,
                   tile + (i - rows.first) * tensor->columns + tensor->own_columns.first,
                   (size_t)width * sizeof *values);
    }
done:
    if (set >= 0)
        H5Dclose(set);
    free(tile);
    return st;
}
