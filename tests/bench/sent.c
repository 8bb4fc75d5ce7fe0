#include "tests/bench/sent.h"

#include <mpi.h>

int64_t sent_bytes;

static void count_sent(int64_t count, MPI_Datatype type)
{
    int bytes;

    MPI_Type_size(type, &bytes);
    sent_bytes += count * bytes;
}

int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    count_sent(count, type);
    return PMPI_Send(data, count, type, to, tag, comm);
}

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    count_sent(count, type);
    return PMPI_Bcast(data, count, type, root, comm);
}

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm)
{
    count_sent(2 * (int64_t)count, type);
    return PMPI_Allreduce(from, to, count, type, op, comm);
}

int MPI_Allgather(const void *from, int count, MPI_Datatype type, void *to, int counts,
                  MPI_Datatype types, MPI_Comm comm)
{
    int size;

    MPI_Comm_size(comm, &size);
    count_sent((size - 1) * (int64_t)counts, types);
    return PMPI_Allgather(from, count, type, to, counts, types, comm);
}

int MPI_Allgatherv(const void *from, int count, MPI_Datatype type, void *to, const int counts[],
                   const int places[], MPI_Datatype types, MPI_Comm comm)
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int r = 0; r < size; r++)
        count_sent(r == (rank + 1) % size ? 0 : counts[r], types);
    return PMPI_Allgatherv(from, count, type, to, counts, places, types, comm);
}
