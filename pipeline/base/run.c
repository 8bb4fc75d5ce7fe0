#include "base/run.h"
#include "base/allocate.h"
#include "base/blas_core.h"
#include "base/die.h"
#include "base/file.h"
#include "base/human.h"
#include "base/memory.h"
#include "base/output.h"
#include "base/threads.h"
#include "base/version.h"

#include <hdf5.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_asked;

static void on_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

static void abort_all_ranks(int code)
{
    MPI_Abort(MPI_COMM_WORLD, code);
}

/* Fill `run` from the command line, or set *help_asked.  E_USAGE. */
static enum status read_options(struct run *run, int argc, char **argv, bool *help_asked)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help_asked = true;
        } else if (strcmp(argv[i], "--live") == 0) {
            run->live = true;
        } else if (strcmp(argv[i], "--brief") == 0) {
            run->brief = true;
        } else if (strcmp(argv[i], "--task") == 0) {
            char *end = "";
            run->task = ++i < argc ? strtoll(argv[i], &end, 10) : -1;
            if (run->task < 0 || *end != '\0')
                return refuse(E_USAGE, "--task wants the number of a task, from 0; try --help");
        } else if (argv[i][0] == '-') {
            return refuse(E_USAGE, "there is no option %s; try --help", argv[i]);
        } else if (run->suite != NULL) {
            return refuse(E_USAGE, "one suite file at a time, but there are two: %s and %s",
                          run->suite, argv[i]);
        } else if (strlen(argv[i]) > PATH_LONGEST) {
            return refuse(E_USAGE, "the path %.60s... has %zu bytes, but may have at most %d",
                          argv[i], strlen(argv[i]), PATH_LONGEST);
        } else {
            run->suite = argv[i];
        }
    }
    if (run->suite == NULL && !*help_asked)
        return refuse(E_USAGE, "which suite file?  Usage: saemill-%s SUITE; try --help",
                      run->stage);
    return OK;
}

/* Refuse if this rank was not started as rank 0 was.  Collective; not yet agreed. */
static enum status compare_lines(const struct run *run, int argc, char **argv)
{
    char line[2 * PATH_LENGTH] = "", first[2 * PATH_LENGTH];
    size_t length;

    length = (size_t)snprintf(line, sizeof line, "saemill-%s of commit %s:", run->stage,
                              version_commit());
    for (int i = 1; i < argc && length < sizeof line; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, " %s", argv[i]);
    memcpy(first, line, sizeof first);
    MPI_Bcast(first, (int)sizeof first, MPI_BYTE, 0, run->comm);
    if (strcmp(line, first) == 0)
        return OK;
    return refuse(E_USAGE, "rank %d was started as '%.300s', but rank 0 as '%.300s'; give all "
                  "ranks the same program and command line", run->rank, line, first);
}

/* Read the command line, of which every rank must have the same.  Collective; *help_asked is the
 * same on all ranks. */
static enum status agree_options(struct run *run, int argc, char **argv, bool *help_asked)
{
    enum status st;

    TRY_ALL(run->comm, read_options(run, argc, argv, help_asked));
    TRY_ALL(run->comm, compare_lines(run, argc, argv));
done:
    *help_asked = *help_asked && st == OK;
    return st;
}

enum status run_start(struct run *run, const char *stage, const char *help,
                      int argc, char **argv)
{
    bool help_asked = false;
    enum status st;
    int provided;

    blas_core_settle(argv);
    memory_keep();
    allocate_for_json();
    threads_settle();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    die_handler = abort_all_ranks;
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);     /* a file is .part until it is complete */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    *run = (struct run){ .stage = stage, .task = -1, .comm = MPI_COMM_WORLD };
    MPI_Comm_rank(run->comm, &run->rank);
    MPI_Comm_size(run->comm, &run->size);
    run->started = run->spoken = MPI_Wtime();
    phase_enter(PHASE_COMPUTE);
    signal(SIGTERM, on_stop);
    signal(SIGINT, on_stop);
    signal(SIGUSR1, on_stop);

    st = agree_options(run, argc, argv, &help_asked);
    if (help_asked) {
        if (run->rank == 0)
            fputs(help, stdout);
        exit(run_finish(run, OK));
    }
    return st;
}

bool run_does_task(const struct run *run, int64_t task)
{
    return run->task < 0 || run->task == task;
}

enum status run_check_task(const struct run *run, int64_t tasks)
{
    enum status st;

    REQUIRE(run->task < tasks, E_USAGE, "--task %lld: the %s of %s has tasks 0 to %lld",
            (long long)run->task, run->stage, run->suite, (long long)tasks - 1);
done:
    return st;
}

/* A failure is printed on stderr, which may reach the terminal before the rest of stdout: so the
 * line end of an open live line goes to stderr, too. */
int run_finish(struct run *run, enum status st)
{
    int broken = comm_broken;       /* possibly on one rank only */

    if (st == OK)
        st = agree(run->comm, run->rank == 0 ? output_finish() : OK);
    if (run->rank == 0 && st != OK)
        fprintf(stderr, "%ssaemill-%s: %s\n", run->line_open ? "\n" : "", run->stage,
                refuse_reason());
    MPI_Allreduce(MPI_IN_PLACE, &broken, 1, MPI_INT, MPI_MAX, run->comm);
    if (broken) {
        fflush(NULL);
        MPI_Barrier(run->comm);     /* wait until rank 0 has printed */
        _exit(st);                  /* MPI_Abort() may lose the line, and adds warnings */
    }
    MPI_Finalize();
    return st;
}

/* Print a line on rank 0, over the live line if there is one. */
static void print_line(struct run *run, const char *format, va_list args)
{
    if (run->rank != 0)
        return;
    printf("%s%s: ", run->line_open ? "\r\033[K" : "", run->stage);
    run->line_open = false;
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
}

void run_note(struct run *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!run->brief)
        print_line(run, format, args);
    va_end(args);
}

/* run_note(), but with --brief too. */
__attribute__((format(printf, 2, 3)))
static void note_always(struct run *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_line(run, format, args);
    va_end(args);
}

void run_warn(struct run *run, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note_always(run, "warning: %s", text);
}

void run_progress(struct run *run, const char *what, double since, int64_t before,
                  int64_t done, int64_t total, const char *unit)
{
    const double now = MPI_Wtime(), pause = run->live ? 0.25 : run->brief ? 60 : 5;

    if (run->rank != 0 || now - run->spoken < pause || done <= before || total <= 0)
        return;
    run->spoken = now;
    const double rate = (double)(done - before) / (now - since);
    printf("%s%s: %s: %lld of %lld %s (%.0f %%), %.3g %s/s, %s left", run->live ? "\r\033[K" : "",
           run->stage, what, (long long)done, (long long)total, unit,
           100.0 * (double)done / (double)total, rate, unit,
           human_duration((double)(total - done) / rate));
    if (run->live)
        run->line_open = true;
    else
        putchar('\n');
    fflush(stdout);
}

void run_summary(struct run *run, double amount, const char *unit, double bytes)
{
    double seconds = MPI_Wtime() - run->started, spent[PHASES];
    int64_t peak = memory_peak();
    char details[320] = "", shares[PHASE_SHARES];

    phase_seconds(spent);
    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : spent, spent, PHASES, MPI_DOUBLE, MPI_MAX, 0,
               run->comm);
    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : &peak, &peak, 1, MPI_INT64_T, MPI_MAX, 0,
               run->comm);
    if (!run->brief)
        snprintf(details, sizeof details, " (%.3g %s/s, %s/s); %s; peak memory %s a rank",
                 amount / seconds, unit, human_bytes(bytes / seconds),
                 phase_shares(shares, spent, seconds), human_bytes((double)peak));
    note_always(run, "%.10g %s%s%s in %s%s", amount, unit, bytes > 0 ? ", " : "",
                bytes > 0 ? human_bytes(bytes) : "", human_duration(seconds), details);
}

bool run_stopping(struct run *run)
{
    int stop = run_stopping_here();

    MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, run->comm);
    return stop != 0;
}

bool run_stopping_here(void)
{
    return stop_asked != 0;
}

enum status run_stopped(void)
{
    return refuse(E_STOPPED, "stopped by a signal; run the same command again to go on");
}
