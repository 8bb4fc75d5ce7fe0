#include "shard/statistics.h"
#include "base/allocate.h"
#include "kernels/bf16.h"
#include "kernels/rows.h"
#include "kernels/values.h"
#include "shard/store.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

/* The sums of one chunk, as they are sent to rank 0: its number, the sum of squares, and the sum of
 * the rows [width]. */
enum { PARTIAL_CHUNK, PARTIAL_SQUARES, PARTIAL_SUM };

/* The values of a row as floats: in place if they are stored so, otherwise converted into
 * `scratch`. */
static const float *row_floats(const void *values, int64_t row, struct stream stream,
                               float *scratch)
{
    if (stream.store == STORE_F32)
        return (const float *)values + row * stream.width;
    bf16_to_float(scratch, (const uint16_t *)values + row * stream.width, stream.width);
    return scratch;
}

static void add_chunk(double *partial, int64_t chunk, int64_t first, int64_t end,
                      const void *values, struct stream stream, float *scratch)
{
    partial[PARTIAL_CHUNK] = (double)chunk;
    for (int64_t row = first; row < end; row++) {
        const float *x = row_floats(values, row, stream, scratch);
        partial[PARTIAL_SQUARES] += values_sum_squares(x, stream.width);
        row_add(partial + PARTIAL_SUM, x, stream.width);
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

/* Gather the chunks' sums on rank 0, and add them there in the order of the chunks, so that the
 * totals do not depend on which rank computed them. */
static void add_partials(struct row_statistics *statistics, MPI_Comm comm, int32_t width,
                         const double *mine, int64_t chunks)
{
    const int each = width + PARTIAL_SUM;
    int rank, size, count = comm_count(chunks * each), total = 0;
    int *counts = NULL, *offsets = NULL;
    double *all = NULL;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (rank == 0) {
        counts = allocate(size, sizeof *counts);
        offsets = allocate(size, sizeof *offsets);
    }
    MPI_Gather(&count, 1, MPI_INT, counts, 1, MPI_INT, 0, comm);
    for (int r = 0; rank == 0 && r < size; r++) {
        offsets[r] = total;
        total += counts[r];
    }
    if (rank == 0)
        all = allocate(total, sizeof *all);
    MPI_Gatherv(mine, count, MPI_DOUBLE, all, counts, offsets, MPI_DOUBLE, 0, comm);
    if (rank == 0)
        qsort(all, (size_t)(total / each), (size_t)each * sizeof *all, by_chunk);
    for (const double *partial = all; rank == 0 && partial < all + total; partial += each) {
        statistics->sum_squares += partial[PARTIAL_SQUARES];
        for (int32_t i = 0; i < width; i++)
            statistics->sum[i] += partial[PARTIAL_SUM + i];
    }
    free(all);
    free(offsets);
    free(counts);
}

enum status statistics_add(struct row_statistics *statistics, MPI_Comm comm,
                           struct stream stream, struct range range, const void *values,
                           const struct row_origin *origins, const char *path)
{
    const int64_t rows = range_length(range), chunks = split_blocks(rows, CHUNK_ROWS);
    const int each = stream.width + PARTIAL_SUM;
    double *partials = allocate(chunks * each, sizeof *partials);
    float *scratch = allocate(stream.width, sizeof *scratch);
    uint64_t hash = hash_rows(values, origins, rows, stream);
    enum status st = OK;
    char name[32];

    for (int64_t c = 0; c < chunks; c++) {
        const struct range block = split_block(rows, CHUNK_ROWS, c);
        add_chunk(partials + c * each, range.first / CHUNK_ROWS + c, block.first, block.end,
                  values, stream, scratch);
        if (!isfinite(partials[c * each + PARTIAL_SQUARES]))
            st = refuse(E_NUMERIC, "%s: a value in rows %lld to %lld of %s is not finite",
                        site_tap_name(name, stream.tap), (long long)(range.first + block.first),
                        (long long)(range.first + block.end - 1), path);
    }
    MPI_Allreduce(MPI_IN_PLACE, &hash, 1, MPI_UINT64_T, MPI_SUM, comm);
    statistics->hash += hash;
    add_partials(statistics, comm, stream.width, partials, chunks);
    free(scratch);
    free(partials);
    return st;
}
