#include "driver/launch.h"
#include "base/file.h"

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

static void on_stop(int signal)
{
    static const char WORDS[] = "\nsaemill: stopping after the work in hand; once more stops at "
                                "once\n";
    const int error = errno;

    (void)signal;
    if (stops_asked++ == 0 && write(STDERR_FILENO, WORDS, sizeof WORDS - 1) < 0)
        errno = error;
    if (child > 0)
        kill((pid_t)child, stops_asked == 1 ? SIGUSR1 : SIGTERM);
    errno = error;
}

/* Is there a program of this name in PATH? */
static bool in_path(const char *name)
{
    const char *folder = getenv("PATH");
    char path[PATH_LENGTH];

    while (folder != NULL && *folder != '\0') {
        const size_t length = strcspn(folder, ":");
        path_print(path, "%.*s/%s", (int)length, folder, name);
        if (access(path, X_OK) == 0)
            return true;
        folder += length + (folder[length] == ':');
    }
    return false;
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

/* In the child: become mpirun, out of reach of the terminal's Ctrl-C, which comes to it by
 * way of on_stop(), and not outliving its parent. */
static _Noreturn void become_mpirun(const struct launch *launch, char *program,
                                    const sigset_t *unblocked)
{
    char ranks[16], threads[16];

    char *arguments[20] = {
        "mpirun", "-q", "-n", ranks, "--oversubscribe", "--bind-to", "none",
        "--mca", "mpi_yield_when_idle", "1",    /* who waits leaves the core to who works */
    };
    int n = 10;

    if (geteuid() == 0)
        arguments[n++] = "--allow-run-as-root";
    arguments[n++] = program;
    arguments[n++] = (char *)launch->argument;
    if (launch->live)
        arguments[n++] = "--live";
    if (launch->brief)
        arguments[n++] = "--brief";

    snprintf(ranks, sizeof ranks, "%d", launch->ranks);
    snprintf(threads, sizeof threads, "%d", launch->threads);
    setenv("OMP_NUM_THREADS", threads, 1);
    sigprocmask(SIG_SETMASK, unblocked, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    execvp(arguments[0], arguments);
    fprintf(stderr, "saemill: cannot start mpirun: %s\n", strerror(errno));
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

/* Start mpirun and wait for its end.  Signals wait until `child` is known. */
static enum status run_child(const struct launch *launch, char *program)
{
    sigset_t stops, before;
    int how = 0;

    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    fflush(NULL);
    sigprocmask(SIG_BLOCK, &stops, &before);
    const pid_t pid = fork();
    if (pid == 0)
        become_mpirun(launch, program, &before);
    child = pid > 0 ? pid : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return refuse(E_IO, "cannot start another process: %s", strerror(errno));
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    return outcome(launch, how);
}

enum status launch(const struct launch *launch)
{
    const struct sigaction on_stops = { .sa_handler = on_stop };
    struct sigaction before_int, before_term;
    char program[PATH_LENGTH];
    enum status st;

    TRY(find_beside(program, launch->program));
    TRY(in_path("mpirun") ? OK : refuse(E_IO, "there is no mpirun in PATH; install Open MPI "
                                        "(Debian: openmpi-bin) or load its module"));
    sigaction(SIGINT, &on_stops, &before_int);
    sigaction(SIGTERM, &on_stops, &before_term);
    st = run_child(launch, program);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
done:
    return st;
}
