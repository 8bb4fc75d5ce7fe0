#include "base/agree.h"
#include "base/die.h"

#include <stdio.h>
#include <unistd.h>

/* Take over the status and reason of rank `first`, the lowest that failed.  OK if it is the
 * number of ranks: then none failed. */
static enum status take_over(MPI_Comm comm, enum status mine, int first)
{
    struct { int status; char reason[1024]; } failure = { mine, "" };
    int size;

    MPI_Comm_size(comm, &size);
    if (first == size)
        return OK;
    snprintf(failure.reason, sizeof failure.reason, "%s", refuse_reason());
    MPI_Bcast(&failure, sizeof failure, MPI_BYTE, first, comm);
    refuse_clear();
    return refuse((enum status)failure.status, "%s", failure.reason);
}

/* This rank's number if it failed, otherwise the number of ranks: the minimum over all ranks is
 * the lowest one that failed. */
static int failed_rank(MPI_Comm comm, enum status mine)
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    return mine == OK ? size : rank;
}

enum status agree(MPI_Comm comm, enum status mine)
{
    int first = failed_rank(comm, mine);

    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm);
    return take_over(comm, mine, first);
}

enum status agree_in_time(MPI_Comm comm, enum status mine)
{
    const double patience = 10, since = MPI_Wtime();
    int first = failed_rank(comm, mine), arrived = 0;
    MPI_Request request;

    MPI_Iallreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm, &request);
    for (MPI_Test(&request, &arrived, MPI_STATUS_IGNORE); !arrived && mine != OK;
         MPI_Test(&request, &arrived, MPI_STATUS_IGNORE)) {
        if (MPI_Wtime() - since > patience)
            die_as(mine, "%s", refuse_reason());
        usleep(1000);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    return take_over(comm, mine, first);
}

bool agree_is_root(MPI_Comm comm)
{
    int rank;

    MPI_Comm_rank(comm, &rank);
    return rank == 0;
}
