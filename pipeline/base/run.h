/* run.h -- one run of one stage: ranks, options, clock, log.
 *
 * Every stage is called as
 *
 *     mpirun -n RANKS bin/saemill-STAGE SUITE [--task N] [--live] [--brief]
 *
 * Its main() calls run_start(), reads the suite, does the tasks and calls run_finish().
 */
#ifndef RUN_H
#define RUN_H

#include "base/comm.h"
#include "base/phase.h"

#include <stdbool.h>

struct run {
    const char *stage;          /* "harvest" */
    const char *suite;          /* path of the suite file, from the command line */
    int64_t     task;           /* the one task to do, or -1: all that are missing */
    bool        live;           /* rewrite the progress line in place */
    bool        brief;          /* print only progress, warnings and the last line, as the driver
                                   shows all stages on one screen */
    MPI_Comm    comm;
    int         rank, size;
    double      started;        /* MPI_Wtime() */
    double      spoken;         /* MPI_Wtime() of the last line of progress */
    bool        line_open;      /* the live line has not been ended */
};

/* Start MPI, settle the number of threads, switch off HDF5's own messages, read the command line,
 * catch SIGTERM, SIGINT and SIGUSR1.  --help prints `help` and ends the program.  E_USAGE if the
 * command line is wrong, or not the same on all ranks; run_finish() must be called then, too.
 * Collective. */
enum status run_start(struct run *run, const char *stage, const char *help,
                      int argc, char **argv);

/* Print the reason of a failure once, finalise MPI, return the exit status.  Output that could not
 * be written is a failure.  Collective; `st` must be the same on all ranks. */
int run_finish(struct run *run, enum status st);

/* Is task number `task` the one that this run was asked to do, or was it asked to do all? */
bool run_does_task(const struct run *run, int64_t task);

/* E_USAGE if the number after --task is not below `tasks`.  Local, the same on all ranks. */
enum status run_check_task(const struct run *run, int64_t tasks);

/* Print a line about an event that a person waits for, on rank 0's standard output; not with
 * --brief.  Local. */
void run_note(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print "warning: ..." about something that is not an error but needs a person's attention; name a
 * remedy.  With --brief too.  Local. */
void run_warn(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Print how far a long work is, on rank 0: done of total, rate, and time left.  Prints at most
 * every five seconds (with --brief every minute; with --live the line is rewritten in place every
 * quarter of a second), so it may be called often.  `since` is MPI_Wtime() at the start of this
 * work, `before` how much was done before that.  Local. */
void run_progress(struct run *run, const char *what, double since, int64_t before,
                  int64_t done, int64_t total, const char *unit);

/* Print the last line of a stage: amount and seconds; without --brief also rate, share of each
 * phase (phase.h) and peak memory, each of the rank with most.  Collective. */
void run_summary(struct run *run, double amount, const char *unit, double bytes);

/* Has any rank received SIGTERM, SIGINT or SIGUSR1?  Collective. */
bool run_stopping(struct run *run);

/* Has this rank received one of them?  Ranks may differ.  Local. */
bool run_stopping_here(void);

/* What a rank ends with that stops for this reason: E_STOPPED, in words.  Local. */
enum status run_stopped(void);

#endif
