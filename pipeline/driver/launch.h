/* launch.h -- start one program under mpirun, and stay with it to its end. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "base/status.h"

struct launch {
    const char *program;        /* "saemill-harvest", in the folder of the running program */
    const char *argument;       /* a suite file, or a folder */
    int         ranks;
    int         threads;        /* of each rank */
    bool        live, brief;    /* pass --live, --brief (run.h) */
};

/* Run it to its end and return its exit status; what it has to say of a failure it says
 * itself.  The first SIGINT or SIGTERM that this process gets meanwhile asks the ranks to
 * stop after the work in hand (SIGUSR1, which mpirun passes on), the next ends them at once.
 * Local.  E_STOPPED after a signal; E_IO, with words, if it cannot be started or was killed. */
enum status launch(const struct launch *launch);

#endif
