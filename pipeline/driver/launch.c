#include "driver/launch.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "driver/command.h"
#include "driver/complaints.h"
#include "driver/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child;         /* mpirun's process, 0 if there is none */
static volatile sig_atomic_t stops_asked;
static volatile sig_atomic_t out_of_time;

/* What asks us to stop: a person, Slurm when it takes the job away, and Slurm when the job's
 * time is soon over. */
static const int STOPS[] = { SIGINT, SIGTERM, SIGUSR1 };

static void on_stop(int signal)
{
    static const char WORDS[] = "\nsaemill: stopping after the work in hand; once more stops at "
                                "once\n";
    const int error = errno;

    if (signal == SIGUSR1)
        out_of_time = 1;
    if (stops_asked++ == 0 && write(STDERR_FILENO, WORDS, sizeof WORDS - 1) < 0)
        errno = error;
    if (child > 0)
        kill((pid_t)child, stops_asked == 1 ? SIGUSR1 : SIGTERM);
    errno = error;
}

/* The path of a program in the folder of this one. */
static enum status find_beside(char path[PATH_LENGTH], const char *program)
{
    char self[PATH_LENGTH] = "";

    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return refuse(E_IO, "cannot find the folder of this program: %s", strerror(errno));
    path_print(path, "%s/%s", dirname(self), program);
    if (access(path, X_OK) != 0)
        return refuse(E_IO, "cannot start %s: %s; run make", path, strerror(errno));
    return OK;
}

/* The command line of mpirun or srun. */
static void starter_arguments(char *arguments[32], const struct launch *launch, char ranks[16],
                              char threads[16])
{
    static const char *const MPIRUN[] = {
        "mpirun", "--oversubscribe", "--bind-to", "none",
        "--mca", "mpi_yield_when_idle", "1",    /* who waits leaves the core to who works */
        "--mca", "odls_base_sigkill_timeout", NULL,
    };
    static const char *const SRUN[] = {
        "srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--cpus-per-task", NULL,
    };
    const bool srun = launch->starter == STARTER_SRUN;
    int n = 0;

    for (const char *const *word = srun ? SRUN : MPIRUN; *word != NULL; word++)
        arguments[n++] = (char *)*word;
    if (srun)
        arguments[n++] = threads;
    if (!srun)      /* seconds from SIGTERM to SIGKILL; Slurm sends SIGTERM first of all */
        arguments[n++] = launch->one_task ? "20" : "1";
    if (!srun && !launch->one_task) {       /* 0.2 s of a start of 0.6 are a search for networks */
        arguments[n++] = "--mca";
        arguments[n++] = "pml";
        arguments[n++] = "ob1";
    }
    if (!srun && geteuid() == 0)
        arguments[n++] = "--allow-run-as-root";
    arguments[n++] = "-n";
    arguments[n++] = ranks;
    arguments[n] = NULL;
    snprintf(ranks, 16, "%d", launch->ranks);
    snprintf(threads, 16, "%d", launch->threads);
}

/* A command line, and the memory of its numbers. */
struct command_line {
    char *word[40];     /* NULL-terminated */
    char  ranks[16], threads[16], task[32];
};

static void make_line(struct command_line *line, const struct launch *launch, char *program)
{
    char **word = line->word;
    int n = 0;

    starter_arguments(word, launch, line->ranks, line->threads);
    while (word[n] != NULL)
        n++;
    word[n++] = program;
    word[n++] = (char *)launch->argument;
    if (launch->one_task) {
        snprintf(line->task, sizeof line->task, "%lld", (long long)launch->task);
        word[n++] = "--task";
        word[n++] = line->task;
    }
    if (launch->live)
        word[n++] = "--live";
    if (launch->brief)
        word[n++] = "--brief";
    word[n] = NULL;
}

/* In the child: become mpirun or srun, out of reach of the terminal's Ctrl-C, which comes to
 * it by way of on_stop(), and not outliving its parent. */
static _Noreturn void become_starter(const struct launch *launch, struct command_line *line,
                                     int complaints, const sigset_t *unblocked)
{
    if (!launch->one_task)
        environment_of_one_machine();
    limits_raise();
    setenv("OMP_NUM_THREADS", line->threads, 1);
    setenv("HOME", "/", 0);     /* mpirun 4.1 crashes for a user without a home and a name */
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(complaints, STDERR_FILENO);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    execvp(line->word[0], line->word);
    fprintf(stderr, "saemill: cannot start %s: %s\n", line->word[0], strerror(errno));
    _exit(E_IO);
}

/* Refuse for a child that failed before a program of ours could say why: with the starter's own
 * exit status, and the command to repeat. */
static enum status refuse_unexplained(const struct launch *launch, const struct command_line *line,
                                      int code)
{
    char *command;
    size_t length;
    FILE *out = text_open(&command, &length);
    enum status st;

    fprintf(out, "OMP_NUM_THREADS=%s", line->threads);
    for (char *const *word = line->word; *word != NULL; word++)
        command_write_word(out, *word);
    text_close(out);
    st = refuse(E_IO, "%s ended with exit status %d, and no rank of %s said why; the words of %s "
                "are above%s%s; to try it by hand: %s", line->word[0], code, launch->program,
                line->word[0], launch->log != NULL ? " and in " : "",
                launch->log != NULL ? launch->log : "", command);
    free(command);
    return st;
}

/* What became of it, in our own terms. */
static enum status outcome(const struct launch *launch, const struct command_line *line, int how,
                           struct complaints *complaints)
{
    const int code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    const bool known = code >= E_USAGE && code <= E_STOPPED;

    if (code == OK)
        return OK;
    if (stops_asked > 0)
        return E_STOPPED;
    if (!complaints->explained)
        complaints_show(complaints);
    if (code > 128)
        return refuse(E_IO, "%s was ended by signal %d (%s)%s", launch->program, code - 128,
                      strsignal(code - 128),
                      code - 128 == SIGKILL ? "; was there too little memory?" : "");
    if (known && complaints->explained)
        return (enum status)code;
    return refuse_unexplained(launch, line, code);
}

/* What was refused here goes to the log, too. */
static void log_reason(const char *log)
{
    FILE *out = log != NULL && refuse_reason()[0] != '\0' ? fopen(log, "a") : NULL;

    if (out == NULL)
        return;
    fprintf(out, "saemill: %s\n", refuse_reason());
    fclose(out);
}

/* Start mpirun or srun and wait for its end.  Signals wait until `child` is known. */
static enum status run_child(const struct launch *launch, char *program)
{
    struct complaints complaints;
    struct command_line line;
    int how = 0, pipe[2];
    sigset_t stops, before;
    enum status st;

    if (pipe2(pipe, O_CLOEXEC) != 0)
        return refuse(E_IO, "cannot make a pipe: %s", strerror(errno));
    make_line(&line, launch, program);
    sigemptyset(&stops);
    for (size_t s = 0; s < sizeof STOPS / sizeof *STOPS; s++)
        sigaddset(&stops, STOPS[s]);
    fflush(NULL);
    sigprocmask(SIG_BLOCK, &stops, &before);
    const pid_t pid = fork();
    if (pid == 0)
        become_starter(launch, &line, pipe[1], &before);
    child = pid > 0 ? pid : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(pipe[1]);
    if (pid < 0) {
        close(pipe[0]);
        return refuse(E_IO, "cannot start another process: %s", strerror(errno));
    }
    complaints_copy(&complaints, pipe[0], launch->log);
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    st = outcome(launch, &line, how, &complaints);
    complaints_free(&complaints);
    log_reason(launch->log);
    return st;
}

enum status launch_check_starter(enum starter starter)
{
    const bool srun = starter == STARTER_SRUN;
    enum status st;

    REQUIRE(command_exists(srun ? "srun" : "mpirun"), E_IO, "there is no %s in PATH; %s",
            srun ? "srun" : "mpirun", srun ? "set start=mpirun in slurm/site.sh"
            : "install Open MPI (Debian: openmpi-bin) or load its module");
done:
    return st;
}

enum status launch(const struct launch *launch)
{
    const struct sigaction on_stops = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
    struct sigaction before[sizeof STOPS / sizeof *STOPS];
    char program[PATH_LENGTH];
    enum status st;

    TRY(find_beside(program, launch->program));
    TRY(launch_check_starter(launch->starter));
    for (size_t s = 0; s < sizeof STOPS / sizeof *STOPS; s++)
        sigaction(STOPS[s], &on_stops, &before[s]);
    st = run_child(launch, program);
    for (size_t s = 0; s < sizeof STOPS / sizeof *STOPS; s++)
        sigaction(STOPS[s], &before[s], NULL);
done:
    return st;
}

bool launch_out_of_time(void)
{
    return out_of_time;
}
