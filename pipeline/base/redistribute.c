#include "base/redistribute.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/minmax.h"

#include <stdlib.h>

/* Intersect `whole` with `other`: the number of common rows, and the first one's offset in
 * `whole`. */
static void overlap(struct range whole, struct range other, int *count, int *offset)
{
    const int64_t first = max_int64(whole.first, other.first);
    const int64_t end = min_int64(whole.end, other.end);

    *count = first < end ? comm_count(end - first) : 0;
    *offset = first < end ? comm_count(first - whole.first) : 0;
}

void redistribute(void *to, struct range wanted, const void *from, struct range held,
                  int64_t row_bytes, MPI_Comm comm)
{
    const struct range mine[2] = { held, wanted };
    struct range (*all)[2];
    MPI_Datatype row;
    int *counts, size;

    MPI_Comm_size(comm, &size);
    all = allocate(size, sizeof *all);
    counts = allocate(4 * size, sizeof *counts);
    int *sends = counts, *from_offsets = sends + size;
    int *receives = from_offsets + size, *to_offsets = receives + size;

    MPI_Allgather(mine, 4, MPI_INT64_T, all, 4, MPI_INT64_T, comm);
    for (int r = 0; r < size; r++) {
        overlap(held, all[r][1], &sends[r], &from_offsets[r]);
        overlap(wanted, all[r][0], &receives[r], &to_offsets[r]);
    }
    MPI_Type_contiguous(comm_count(row_bytes), MPI_BYTE, &row);
    MPI_Type_commit(&row);
    MPI_Alltoallv(from, sends, from_offsets, row, to, receives, to_offsets, row, comm);
    MPI_Type_free(&row);
    free(counts);
    free(all);
}
