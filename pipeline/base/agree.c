#include "base/agree.h"
#include "base/die.h"

#include <stdio.h>
#include <unistd.h>

/* The status and reason of rank `first`, the lowest with a failure; `size` if there is none. */
static enum status take_word(MPI_Comm comm, enum status mine, int first)
{
    struct { int status; char reason[1024]; } word = { mine, "" };
    int size;

    MPI_Comm_size(comm, &size);
    if (first == size)
        return OK;
    snprintf(word.reason, sizeof word.reason, "%s", refuse_reason());
    MPI_Bcast(&word, sizeof word, MPI_BYTE, first, comm);
    refuse_clear();
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
            die("%s", refuse_reason());
        usleep(1000);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    return take_word(comm, mine, first);
}

bool agree_is_root(MPI_Comm comm)
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    return rank == 0;
}
