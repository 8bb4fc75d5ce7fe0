#include "base/ordered_sum.h"
#include "base/comm.h"

#include <string.h>

enum { TAG = 7 };

void ordered_sum_run(const struct ordered_sum *order, void *sum, ordered_sum_add *add,
                     void *context)
{
    const int64_t first = order->bounds[0], count = order->bounds[order->parts] - first;
    int rank, size, bytes;

    MPI_Comm_rank(order->comm, &rank);
    MPI_Comm_size(order->comm, &size);
    MPI_Type_size(order->type, &bytes);
    for (int64_t part = 0; part < order->parts; part++) {
        char *at = (char *)sum + (order->bounds[part] - first) * bytes;
        const int n = comm_count(order->bounds[part + 1] - order->bounds[part]);

        if (rank > 0)
            MPI_Recv(at, n, order->type, rank - 1, TAG, order->comm, MPI_STATUS_IGNORE);
        else if (!order->begun)
            memset(at, 0, (size_t)n * (size_t)bytes);
        if (rank > 0 || !order->begun)
            add(context, part);
        if (rank < size - 1)
            MPI_Send(at, n, order->type, rank + 1, TAG, order->comm);
    }
    if (size > 1)
        MPI_Bcast(sum, comm_count(count), order->type, size - 1, order->comm);
}
