/* run.h -- one run of one stage: its ranks, its command line, its clock, its voice.
 *
 * Every stage is called as
 *
 *     mpirun -n RANKS bin/saemill-STAGE SUITE [--task N] [--live] [--brief]
 *
 * and its main is: run_start, read the suite, do the tasks, run_finish.
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
    bool        brief;          /* progress and the last line only: the driver has a screen for
                                   all stages */
    MPI_Comm    comm;
    int         rank, size;
    double      started;        /* MPI_Wtime() */
    double      spoken;         /* when the last line of progress was printed */
    bool        line_open;      /* a live line waits to be rewritten or ended */
};

/* Start MPI, silence HDF5's own messages, read the command line, catch SIGTERM, SIGINT
 * and SIGUSR1.  `help` is printed for --help, which ends the program.  E_USAGE if the
 * command line is wrong: go to run_finish.  Collective. */
enum status run_start(struct run *run, const char *stage, const char *help,
                      int argc, char **argv);

/* Print the reason of a failure once, end MPI, return the exit status.  Collective; to be
 * reached by all ranks with the same status. */
int run_finish(struct run *run, enum status st);

/* Does this run do task number `task`: is it the one asked for, or were all? */
bool run_does_task(const struct run *run, int64_t task);

/* E_USAGE if --task asks for one that is not among `tasks`.  Local, the same on all ranks. */
enum status run_check_task(const struct run *run, int64_t tasks);

/* One line on standard output, by rank 0, for an event a human waits for; none with --brief.
 * Local. */
void run_note(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "warning: ...": what is no error but wants a person to look, with a remedy.  Is said with
 * --brief too.  Local. */
void run_warn(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How far a long work is: done of total, rate and time left, at most every five seconds (with
 * --brief every minute), or rewritten in place every quarter of a second with --live.  `since` is
 * when this work was begun (MPI_Wtime), `before` what was done already then.  Call as often as you
 * like.  Rank 0 speaks.  Local. */
void run_progress(struct run *run, const char *what, double since, int64_t before,
                  int64_t done, int64_t total, const char *unit);

/* The last line of a stage: what it did, seconds and, without --brief, rate, share of each
 * phase (phase.h), peak memory; the slowest rank counts.  Collective. */
void run_summary(struct run *run, double amount, const char *unit, double bytes);

/* Has any rank been sent SIGTERM, SIGINT or SIGUSR1?  Collective: asks all ranks. */
bool run_stopping(struct run *run);

/* Has this one?  Local: to be agreed on. */
bool run_stopping_here(void);

#endif
