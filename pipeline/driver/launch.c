#include "driver/launch.h"
#include "base/file.h"
#include "driver/command.h"

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
        "mpirun", "-q", "--oversubscribe", "--bind-to", "none",
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

/* In the child: become mpirun or srun, out of reach of the terminal's Ctrl-C, which comes to
 * it by way of on_stop(), and not outliving its parent. */
static _Noreturn void become_starter(const struct launch *launch, char *program, int complaints,
                                     const sigset_t *unblocked)
{
    char *arguments[40], ranks[16], threads[16], task[32];
    int n = 0;

    starter_arguments(arguments, launch, ranks, threads);
    while (arguments[n] != NULL)
        n++;
    arguments[n++] = program;
    arguments[n++] = (char *)launch->argument;
    if (launch->one_task) {
        snprintf(task, sizeof task, "%lld", (long long)launch->task);
        arguments[n++] = "--task";
        arguments[n++] = task;
    }
    if (launch->live)
        arguments[n++] = "--live";
    if (launch->brief)
        arguments[n++] = "--brief";
    arguments[n] = NULL;

    setenv("OMP_NUM_THREADS", threads, 1);
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (complaints >= 0)
        dup2(complaints, STDERR_FILENO);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    execvp(arguments[0], arguments);
    fprintf(stderr, "saemill: cannot start %s: %s\n", arguments[0], strerror(errno));
    _exit(E_IO);
}

/* What became of it, in our own terms. */
static enum status outcome(const struct launch *launch, int how)
{
    const int code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);

    if (stops_asked > 0 && code != OK)
        return E_STOPPED;
    if (code > 128)
        return refuse(E_IO, "%s was ended by signal %d (%s)%s", launch->program, code - 128,
                      strsignal(code - 128),
                      code - 128 == SIGKILL ? "; was there too little memory?" : "");
    return (enum status)code;
}

/* Pass on what the child says on its standard error, until it closes it, and keep it. */
static void copy_complaints(int from, const char *log)
{
    FILE *copy = fopen(log, "w");
    char text[1024];
    ssize_t n;

    while ((n = read(from, text, sizeof text)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        fwrite(text, 1, (size_t)n, stderr);
        if (copy != NULL) {
            fwrite(text, 1, (size_t)n, copy);
            fflush(copy);
        }
    }
    if (copy != NULL)
        fclose(copy);
    close(from);
}

/* Start mpirun or srun and wait for its end.  Signals wait until `child` is known. */
static enum status run_child(const struct launch *launch, char *program)
{
    int how = 0, complaints[2] = { -1, -1 };
    sigset_t stops, before;

    if (launch->log != NULL && pipe2(complaints, O_CLOEXEC) != 0)
        return refuse(E_IO, "cannot make a pipe: %s", strerror(errno));
    sigemptyset(&stops);
    for (size_t s = 0; s < sizeof STOPS / sizeof *STOPS; s++)
        sigaddset(&stops, STOPS[s]);
    fflush(NULL);
    sigprocmask(SIG_BLOCK, &stops, &before);
    const pid_t pid = fork();
    if (pid == 0)
        become_starter(launch, program, complaints[1], &before);
    child = pid > 0 ? pid : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (complaints[1] >= 0)
        close(complaints[1]);
    if (pid < 0)
        return refuse(E_IO, "cannot start another process: %s", strerror(errno));
    if (complaints[0] >= 0)
        copy_complaints(complaints[0], launch->log);
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    return outcome(launch, how);
}

enum status launch(const struct launch *launch)
{
    const char *starter = launch->starter == STARTER_SRUN ? "srun" : "mpirun";
    const struct sigaction on_stops = { .sa_handler = on_stop };
    struct sigaction before[sizeof STOPS / sizeof *STOPS];
    char program[PATH_LENGTH];
    enum status st;

    TRY(find_beside(program, launch->program));
    REQUIRE(command_exists(starter), E_IO, "there is no %s in PATH; %s", starter,
            launch->starter == STARTER_SRUN
            ? "set start=mpirun in slurm/site.sh"
            : "install Open MPI (Debian: openmpi-bin) or load its module");
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
