#include "base/ordered_sum.h"
#include "base/comm.h"

#include <string.h>

enum { TAG = 7 };

void ordered_sum_run(const struct ordered_sum *chain, void *sum, ordered_sum_add *add, void *context)
{
    const int64_t first = chain->cuts[0], count = chain->cuts[chain->pieces] - first;
    int rank, size, bytes;

    MPI_Comm_rank(chain->comm, &rank);
    MPI_Comm_size(chain->comm, &size);
    MPI_Type_size(chain->type, &bytes);
    for (int64_t piece = 0; piece < chain->pieces; piece++) {
        char *at = (char *)sum + (chain->cuts[piece] - first) * bytes;
        const int n = comm_count(chain->cuts[piece + 1] - chain->cuts[piece]);

        if (rank > 0)
            MPI_Recv(at, n, chain->type, rank - 1, TAG, chain->comm, MPI_STATUS_IGNORE);
        else if (!chain->begun)
            memset(at, 0, (size_t)n * (size_t)bytes);
        if (rank > 0 || !chain->begun)
            add(context, piece);
        if (rank < size - 1)
            MPI_Send(at, n, chain->type, rank + 1, TAG, chain->comm);
    }
    if (size > 1)
        MPI_Bcast(sum, comm_count(count), chain->type, size - 1, chain->comm);
}
