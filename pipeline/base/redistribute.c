#include "base/redistribute.h"
#include "base/allocate.h"
#include "base/comm.h"

#include <stdlib.h>

/* Rows of `whole` that are also in `other`: how many, and how far into `whole`. */
static void overlap(struct range whole, struct range other, int *count, int *place)
{
    const int64_t first = whole.first > other.first ? whole.first : other.first;
    const int64_t end = whole.end < other.end ? whole.end : other.end;

    *count = first < end ? comm_count(end - first) : 0;
    *place = first < end ? comm_count(first - whole.first) : 0;
}

void redistribute(void *to, struct range wanted, const void *from, struct range had,
             int64_t row_bytes, MPI_Comm comm)
{
    const struct range mine[2] = { had, wanted };
    struct range (*all)[2];
    MPI_Datatype row;
    int *counts, size;

    MPI_Comm_size(comm, &size);
    all = allocate(size, sizeof *all);
    counts = allocate(4 * size, sizeof *counts);
    int *sends = counts, *from_places = sends + size;
    int *receives = from_places + size, *to_places = receives + size;

    MPI_Allgather(mine, 4, MPI_INT64_T, all, 4, MPI_INT64_T, comm);
    for (int r = 0; r < size; r++) {
        overlap(had, all[r][1], &sends[r], &from_places[r]);
        overlap(wanted, all[r][0], &receives[r], &to_places[r]);
    }
    MPI_Type_contiguous(comm_count(row_bytes), MPI_BYTE, &row);
    MPI_Type_commit(&row);
    MPI_Alltoallv(from, sends, from_places, row, to, receives, to_places, row, comm);
    MPI_Type_free(&row);
    free(counts);
    free(all);
}
