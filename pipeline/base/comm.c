#include "base/comm.h"
#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool comm_broken;

/* The status and reason of rank `first`, the lowest with a failure; `size` if there is none. */
static enum status take_word(MPI_Comm comm, enum status mine, int first)
{
    struct { int status; char reason[1024]; } word = { mine, "" };
    int size;

    MPI_Comm_size(comm, &size);
    if (first == size)
        return OK;
    snprintf(word.reason, sizeof word.reason, "%s", status_reason());
    MPI_Bcast(&word, sizeof word, MPI_BYTE, first, comm);
    status_clear();
    return refuse((enum status)word.status, "%s", word.reason);
}

/* This rank's bid to be the lowest with a failure. */
static int bid(MPI_Comm comm, enum status mine)
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    return mine == OK ? size : rank;
}

enum status agree(MPI_Comm comm, enum status mine)
{
    int first = bid(comm, mine);

    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm);
    return take_word(comm, mine, first);
}

enum status agree_in_time(MPI_Comm comm, enum status mine)
{
    const double patience = 10, since = MPI_Wtime();
    int first = bid(comm, mine), there = 0;
    MPI_Request request;

    MPI_Iallreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm, &request);
    for (MPI_Test(&request, &there, MPI_STATUS_IGNORE); !there && mine != OK;
         MPI_Test(&request, &there, MPI_STATUS_IGNORE)) {
        if (MPI_Wtime() - since > patience)
            die("%s", status_reason());
        usleep(1000);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    return take_word(comm, mine, first);
}

void comm_meet(MPI_Comm comm)
{
    MPI_Request request;
    int there = 0;

    MPI_Ibarrier(comm, &request);
    for (MPI_Test(&request, &there, MPI_STATUS_IGNORE); !there;
         MPI_Test(&request, &there, MPI_STATUS_IGNORE))
        usleep(1000);
}

int mpi_count(int64_t n)
{
    if (n < 0 || n > INT_MAX)
        die("bug: %lld does not fit an MPI count", (long long)n);
    return (int)n;
}

enum status comm_read_file(MPI_Comm comm, const char *path, char **bytes, int64_t *size)
{
    enum status st;
    int rank;

    *bytes = NULL;
    *size = 0;
    MPI_Comm_rank(comm, &rank);
    TRY_ALL(comm, rank == 0 ? file_read(path, bytes, size) : OK);

    MPI_Bcast(size, 1, MPI_INT64_T, 0, comm);
    if (rank != 0)
        *bytes = allocate(*size + 1, 1);
    MPI_Bcast(*bytes, mpi_count(*size), MPI_BYTE, 0, comm);
done:
    return st;
}

bool comm_file_exists(MPI_Comm comm, const char *path)
{
    int rank, there;

    MPI_Comm_rank(comm, &rank);
    there = rank == 0 && file_exists(path);
    MPI_Bcast(&there, 1, MPI_INT, 0, comm);
    return there != 0;
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
