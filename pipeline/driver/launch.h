/* launch.h -- start one program under mpirun or srun, and stay with it to its end. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "base/refuse.h"

#include <stdint.h>

/* What starts the ranks: mpirun, which finds the machines of a Slurm job by itself, or
 * srun --mpi=pmix. */
enum starter { STARTER_MPIRUN, STARTER_SRUN };

struct launch {
    const char *program;        /* "saemill-harvest", in the folder of the running program */
    const char *argument;       /* a suite file, or a folder */
    bool        one_task;       /* pass --task */
    int64_t     task;
    enum starter starter;
    int         ranks;
    int         threads;        /* of each rank */
    bool        live, brief;    /* pass --live, --brief (run.h) */
    const char *log;            /* gets what is said on standard error, and why it failed, too;
                                   NULL: no file */
};

/* Run it to its end and return its exit status; what it has to say of a failure it says itself.
 * If it cannot, since the ranks did not start, the words of mpirun or srun are shown, and the
 * command to repeat by hand.  What is not one task of a batch job runs on this machine alone,
 * whatever batch job is around it.  The first SIGINT, SIGTERM or SIGUSR1 that this process gets
 * meanwhile asks the ranks to stop after the work in hand (SIGUSR1, which mpirun and srun pass
 * on), the next ends them at once. Local.  E_STOPPED after a signal; E_IO, with words, if it
 * cannot be started or was killed. */
enum status launch(const struct launch *launch);

/* Is there such a program?  Local.  E_IO. */
enum status launch_check_starter(enum starter starter);

/* Was one of the signals SIGUSR1, by which Slurm says that the job's time is soon over? */
bool launch_out_of_time(void);

#endif
