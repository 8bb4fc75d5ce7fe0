#include "base/comm.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool comm_broken;

void comm_meet(MPI_Comm comm)
{
    MPI_Request request;
    int arrived = 0;

    MPI_Ibarrier(comm, &request);
    for (MPI_Test(&request, &arrived, MPI_STATUS_IGNORE); !arrived;
         MPI_Test(&request, &arrived, MPI_STATUS_IGNORE))
        usleep(1000);
}

int comm_count(int64_t n)
{
    if (n < 0 || n > INT_MAX)
        die_as(E_IO, "bug: %lld does not fit an MPI count", (long long)n);
    return (int)n;
}

enum status comm_read_file(MPI_Comm comm, const char *path, char **bytes, int64_t *size)
{
    enum status st;
    int rank;

    *bytes = NULL;
    *size = 0;
    MPI_Comm_rank(comm, &rank);
    TRY_ROOT(comm, file_read(path, bytes, size));

    MPI_Bcast(size, 1, MPI_INT64_T, 0, comm);
    if (rank != 0)
        *bytes = allocate(*size + 1, 1);
    MPI_Bcast(*bytes, comm_count(*size), MPI_BYTE, 0, comm);
done:
    return st;
}

bool comm_file_exists(MPI_Comm comm, const char *path)
{
    int rank, exists;

    MPI_Comm_rank(comm, &rank);
    exists = rank == 0 && file_exists(path);
    MPI_Bcast(&exists, 1, MPI_INT, 0, comm);
    return exists != 0;
}

MPI_Comm comm_of_node(MPI_Comm comm)
{
    MPI_Comm node;

    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    return node;
}

bool comm_first_of_node(MPI_Comm comm)
{
    MPI_Comm node = comm_of_node(comm);
    int rank;

    MPI_Comm_rank(node, &rank);
    MPI_Comm_free(&node);
    return rank == 0;
}
