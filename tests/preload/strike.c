/* strike -- a library that strikes a program at a named point of its progress.
 *
 *   LD_PRELOAD=build/tests/strike.so STRIKE_PROGRAM=saemill-train STRIKE_UNDER=$dir/run \
 *       STRIKE_LOG=$dir/strikes STRIKE=rename:3:KILL bin/saemill-train ...
 *
 * A point is a call, so the points come in the same order on an idle and on a loaded machine.
 * STRIKE is KIND:N:ACTION: at the N-th call of that kind in a process take the action, then make
 * the call.
 *
 *   KIND    write     write and its relatives, fwrite, fflush, fclose
 *           create    open and fopen of a file to write, mkdir
 *           rename    rename
 *           remove    unlink, rmdir, remove
 *           sync      fsync, fdatasync
 *           resize    ftruncate, truncate, fallocate
 *           disk      each of these
 *           message   calls of MPI that bring something from rank to rank
 *           any       disk and message
 *           read      open and fopen of a file to read, read and its relatives, fread
 *           list      readdir
 *           memory    malloc and its relatives, after MPI_Init_thread(); under any path
 *   N       from 1; 5+ means: at the fifth call and at all later ones
 *   ACTION  KILL, TERM, INT, USR1, STOP   the process sends this signal to itself
 *           KILLALL, TERMALL, STOPALL     ... to all children of its parent: all ranks of mpirun
 *           KILLPARENT, TERMPARENT, STOPPARENT    ... to its parent: mpirun
 *           ENOSPC, EDQUOT, EIO, EINTR, ENOMEM    the call does nothing and fails with this error
 *           SHORT                         a write writes half of its bytes
 *           LIST                          a line of the log, "site N ADDRESS ADDRESS ...": callers
 *
 *   STRIKE_PROGRAM   only processes of this program have points, not mpirun or a shell
 *   STRIKE_RANK      only this rank is struck; each rank if it is not set
 *   STRIKE_UNDER     only calls on files whose path contains this are points; of MPI all are
 *   STRIKE_LOG       gets a line of each strike, "struck rename:3:KILL at rename PATH", of memory
 *                    after one like that of LIST, and one at
 *                    the end of each process, "counted any 31 disk 20 write 12 ..."; not under
 *                    STRIKE_UNDER
 *   STRIKE_CLOCK     seconds that MPI_Wtime() gains at each call, in place of the time that passes
 *   STRIKE_PROGRESS  a file of eight bytes that counts the points of all processes, and calls on
 *                    other files: while it stands still, nothing moves
 *   STRIKE_SERVE     see serve()
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { ANY, DISK, WRITE, CREATE, RENAME, REMOVE, SYNC, RESIZE, MESSAGE, READ, FOLDER, MEMORY,
            KINDS };

static const char *const KIND[KINDS] = {
    "any", "disk", "write", "create", "rename", "remove", "sync", "resize", "message", "read",
    "list", "memory",
};

enum { SHORT = -1, LIST = -2 };     /* next to the errors of a call */

enum whom { SELF, ALL, PARENT };

static const struct { const char *name; int signal, error; enum whom whom; } ACTION[] = {
    { "KILL", SIGKILL, 0, SELF },         { "TERM", SIGTERM, 0, SELF },
    { "INT", SIGINT, 0, SELF },           { "USR1", SIGUSR1, 0, SELF },
    { "STOP", SIGSTOP, 0, SELF },         { "KILLALL", SIGKILL, 0, ALL },
    { "TERMALL", SIGTERM, 0, ALL },       { "STOPALL", SIGSTOP, 0, ALL },
    { "KILLPARENT", SIGKILL, 0, PARENT }, { "TERMPARENT", SIGTERM, 0, PARENT },
    { "STOPPARENT", SIGSTOP, 0, PARENT }, { "ENOSPC", 0, ENOSPC, SELF },
    { "EDQUOT", 0, EDQUOT, SELF },        { "EIO", 0, EIO, SELF },
    { "EINTR", 0, EINTR, SELF },          { "ENOMEM", 0, ENOMEM, SELF },
    { "SHORT", 0, SHORT, SELF },          { "LIST", 0, LIST, SELF },
};
enum { ACTIONS = sizeof ACTION / sizeof *ACTION };

enum { TEXT = 128 };

static bool        counting;        /* this process is of the program and rank that are meant */
static const char *under, *log_path;
static atomic_long counted[KINDS];

static atomic_long  unwatched, *progress = &unwatched;
static bool         initialised;    /* MPI is, and allocations are points */
static _Thread_local bool inside;   /* this library itself allocates */

/* STRIKE, in parts. */
static char spec[TEXT];             /* "": no strike */
static int  spec_kind, spec_action;
static long spec_n;
static bool spec_on;                /* N+ */
static bool is_struck;              /* already */

/* --- what the environment asks for --------------------------------------------------- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL ? "" : value;
}

/* Take "" or KIND:N:ACTION, and count from 0. */
static void spec_read(const char *text)
{
    char kind[TEXT], action[TEXT], plus[2] = "";
    int k = 0, a = 0;

    memset(counted, 0, sizeof counted);
    is_struck = false;
    snprintf(spec, sizeof spec, "%s", text);
    spec_action = ACTIONS;
    if (*text == '\0')
        return;
    if (sscanf(text, "%20[a-z]:%ld:%20[A-Z0-9]", kind, &spec_n, action) == 3
        || sscanf(text, "%20[a-z]:%ld%1[+]:%20[A-Z0-9]", kind, &spec_n, plus, action) == 4) {
        while (k < KINDS && strcmp(KIND[k], kind) != 0)
            k++;
        while (a < ACTIONS && strcmp(ACTION[a].name, action) != 0)
            a++;
    }
    spec_kind = k;
    spec_action = a;
    spec_on = *plus == '+';
    if (k == KINDS || a == ACTIONS) {
        fprintf(stderr, "strike: '%s' is not KIND:N:ACTION\n", text);
        _exit(125);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *rank = variable("OMPI_COMM_WORLD_RANK"), *wanted = variable("STRIKE_RANK");

    if (strcmp(variable("STRIKE_PROGRAM"), program_invocation_short_name) != 0)
        return;
    counting = *wanted == '\0' || strcmp(*rank == '\0' ? "0" : rank, wanted) == 0;
    under = variable("STRIKE_UNDER");
    log_path = variable("STRIKE_LOG");
    spec_read(variable("STRIKE"));
    if (*variable("STRIKE_PROGRESS") != '\0') {
        const int fd = open(variable("STRIKE_PROGRESS"), O_RDWR | O_CLOEXEC);
        progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (progress == MAP_FAILED)
            _exit(125);
        close(fd);
    }
    backtrace((void *[1]){ NULL }, 1);      /* which loads a library the first time */
}

/* Add a line to the log, in one piece, since other ranks write there too. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    const int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(fd, "%s\n", text);
    close(fd);
}

__attribute__((destructor)) static void end(void)
{
    char text[2 * TEXT] = "counted";

    if (!counting || *log_path == '\0')
        return;
    for (int k = 0; k < KINDS; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s %ld", KIND[k],
                 (long)counted[k]);
    note("%s", text);
}

/* Who made the n-th call: the addresses behind this library's own. */
static void note_callers(long n)
{
    enum { OWN = 3, CALLERS = 8 };
    void *callers[OWN + CALLERS];
    char  text[32 * CALLERS];
    const int depth = backtrace(callers, OWN + CALLERS);

    snprintf(text, sizeof text, "site %ld", n);
    for (int i = OWN; i < depth; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %p", callers[i]);
    note("%s", text);
}

/* --- points -------------------------------------------------------------------------- */

static bool is_now(int kind, const long n[KINDS])
{
    const bool of_kind = spec_kind == kind || (spec_kind == ANY && kind <= MESSAGE)
                         || (spec_kind == DISK && kind < MESSAGE);

    return spec_action < ACTIONS && of_kind
           && (spec_on ? n[spec_kind] >= spec_n : n[spec_kind] == spec_n);
}

/* Is the parent still mpirun, or did someone else inherit this process? */
static bool of_mpirun(void)
{
    char path[TEXT], name[TEXT] = "";

    snprintf(path, sizeof path, "/proc/%d/comm", getppid());
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%20s", name) != 1)
            *name = '\0';
        fclose(file);
    }
    return strcmp(name, "mpirun") == 0 || strcmp(name, "orterun") == 0;
}

/* The children of mpirun, this process last. */
static void send_to_all(int signal)
{
    char path[TEXT];
    long pid;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", getppid(), getppid());
    FILE *children = of_mpirun() ? fopen(path, "r") : NULL;
    while (children != NULL && fscanf(children, "%ld", &pid) == 1)
        if (pid != getpid())
            kill((pid_t)pid, signal);
    raise(signal);
    if (children != NULL)
        fclose(children);
}

static void send_signal(int signal, enum whom whom)
{
    if (whom == ALL)
        send_to_all(signal);
    else if (whom == PARENT && of_mpirun())
        kill(getppid(), signal);
    else
        raise(signal);
}

/* A point: count it, and strike if it is the one.  Returns 0 if the call is to be made, else its
 * error, or SHORT. */
static int point(enum kind kind, const char *call, const char *path)
{
    long n[KINDS] = {0};

    if (!counting || inside)
        return 0;
    ++*progress;
    if (kind != MESSAGE && kind != MEMORY && strstr(path, under) == NULL)
        return 0;
    n[kind] = ++counted[kind];
    if (kind <= MESSAGE)
        n[ANY] = ++counted[ANY];
    if (kind < MESSAGE)
        n[DISK] = ++counted[DISK];
    if (!is_now(kind, n))
        return 0;
    inside = is_struck = true;
    if (kind == MEMORY)
        note_callers(n[kind]);
    if (ACTION[spec_action].error != LIST)
        note("struck %s at %s %s", spec, call, path);
    inside = false;
    if (ACTION[spec_action].signal != 0)
        send_signal(ACTION[spec_action].signal, ACTION[spec_action].whom);
    return kind == MESSAGE || ACTION[spec_action].error == LIST ? 0 : ACTION[spec_action].error;
}

/* The same for a call on an open file. */
static int point_fd(enum kind kind, const char *call, int fd)
{
    char link[TEXT], path[4096];

    if (!counting)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    return point(kind, call, path);
}

/* The function that the program would have called without this library. */
#define NEXT(name) ({                                                                           \
        static __typeof__(&name) found;                                                         \
        if (found == NULL)                                                                      \
            found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                 \
        found;                                                                                  \
    })

/* In a wrapper: fail as the point says, unless it is a write that is to be short. */
#define FAIL_AS(error, failed) do { if ((error) > 0) { errno = (error); return failed; } } while (0)

/* int name(...) on a path or on an open file. */
#define ON_PATH(kind, name, path, parameters, arguments)                                        \
    int name parameters                                                                         \
    {                                                                                           \
        const int error = point(kind, #name, path);                                             \
        FAIL_AS(error, -1);                                                                     \
        return NEXT(name) arguments;                                                            \
    }
#define ON_FD(kind, name, parameters, arguments)                                                \
    int name parameters                                                                         \
    {                                                                                           \
        const int error = point_fd(kind, #name, fd);                                            \
        FAIL_AS(error, -1);                                                                     \
        return NEXT(name) arguments;                                                            \
    }

ON_PATH(CREATE, mkdir,     path, (const char *path, mode_t mode),       (path, mode))
ON_PATH(RENAME, rename,    to,   (const char *from, const char *to),    (from, to))
ON_PATH(REMOVE, unlink,    path, (const char *path),                    (path))
ON_PATH(REMOVE, rmdir,     path, (const char *path),                    (path))
ON_PATH(REMOVE, remove,    path, (const char *path),                    (path))
ON_PATH(RESIZE, truncate,  path, (const char *path, off_t size),        (path, size))
ON_FD(RESIZE, ftruncate,   (int fd, off_t size),                        (fd, size))
ON_FD(RESIZE, ftruncate64, (int fd, off64_t size),                      (fd, size))
ON_FD(RESIZE, fallocate,   (int fd, int mode, off_t at, off_t size),    (fd, mode, at, size))

/* Where thousands of points are tried, nobody waits for the disk: a kill loses nothing that the
 * system has, be it on disk or not. */
static bool served;

#define SYNC_BY(name)                                                                           \
    int name(int fd)                                                                            \
    {                                                                                           \
        const int error = point_fd(SYNC, #name, fd);                                            \
        FAIL_AS(error, -1);                                                                     \
        return served ? 0 : NEXT(name)(fd);                                                     \
    }
SYNC_BY(fsync)
SYNC_BY(fdatasync)

#define OPEN(name)                                                                              \
    int name(const char *path, int flags, ...)                                                  \
    {                                                                                           \
        mode_t mode = 0;                                                                        \
        va_list args;                                                                           \
        va_start(args, flags);                                                                  \
        if (flags & O_CREAT)                                                                    \
            mode = va_arg(args, mode_t);                                                        \
        va_end(args);                                                                           \
        const int error = point(flags & O_CREAT ? CREATE : READ, #name, path);                  \
        FAIL_AS(error, -1);                                                                     \
        return NEXT(name)(path, flags, mode);                                                   \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                             \
    FILE *name(const char *path, const char *mode)                                              \
    {                                                                                           \
        const int error = point(*mode != 'r' ? CREATE : READ, #name, path);                     \
        FAIL_AS(error, NULL);                                                                   \
        return NEXT(name)(path, mode);                                                          \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* --- writes, which may be short ------------------------------------------------------- */

#define WRITE_BYTES(name, parameters, arguments)                                                \
    ssize_t name parameters                                                                     \
    {                                                                                           \
        const int error = point_fd(WRITE, #name, fd);                                           \
        FAIL_AS(error, -1);                                                                     \
        if (error == SHORT)                                                                     \
            size = (size + 1) / 2;                                                              \
        return NEXT(name) arguments;                                                            \
    }
WRITE_BYTES(write,    (int fd, const void *from, size_t size),               (fd, from, size))
WRITE_BYTES(pwrite,   (int fd, const void *from, size_t size, off_t at),     (fd, from, size, at))
WRITE_BYTES(pwrite64, (int fd, const void *from, size_t size, off64_t at),   (fd, from, size, at))

/* Of several pieces the first. */
#define WRITE_PIECES(name, parameters, arguments)                                               \
    ssize_t name parameters                                                                     \
    {                                                                                           \
        const int error = point_fd(WRITE, #name, fd);                                           \
        FAIL_AS(error, -1);                                                                     \
        if (error == SHORT)                                                                     \
            return write_first(fd, from, at);                                                   \
        return NEXT(name) arguments;                                                            \
    }
static ssize_t write_first(int fd, const struct iovec *from, off_t at)
{
    const size_t half = (from->iov_len + 1) / 2;

    return at < 0 ? NEXT(write)(fd, from->iov_base, half)
                  : NEXT(pwrite)(fd, from->iov_base, half, at);
}
WRITE_PIECES(pwritev,   (int fd, const struct iovec *from, int n, off_t at),   (fd, from, n, at))
WRITE_PIECES(pwritev64, (int fd, const struct iovec *from, int n, off64_t at), (fd, from, n, at))

ssize_t writev(int fd, const struct iovec *from, int n)
{
    const int error = point_fd(WRITE, "writev", fd);

    FAIL_AS(error, -1);
    return error == SHORT ? write_first(fd, from, -1) : NEXT(writev)(fd, from, n);
}

/* What glibc notes of a stream that failed: ferror(). */
enum { SEEN = 0x20 };

size_t fwrite(const void *from, size_t size, size_t count, FILE *file)
{
    const int error = counting ? point_fd(WRITE, "fwrite", fileno(file)) : 0;

    if (error != 0)
        file->_flags |= SEEN;
    FAIL_AS(error, 0);
    return NEXT(fwrite)(from, size, error == SHORT ? count / 2 : count, file);
}

int fflush(FILE *file)
{
    const bool writes = counting && file != NULL && __fwriting(file);
    const int error = writes ? point_fd(WRITE, "fflush", fileno(file)) : 0;

    if (error > 0)
        file->_flags |= SEEN;
    FAIL_AS(error, EOF);
    return NEXT(fflush)(file);
}

/* The file is closed whatever happens, as by the system. */
int fclose(FILE *file)
{
    const bool writes = counting && __fwriting(file);
    const int error = writes ? point_fd(WRITE, "fclose", fileno(file)) : 0;
    const int closed = NEXT(fclose)(file);

    FAIL_AS(error, EOF);
    return closed;
}

/* --- reads, which may be short, too ---------------------------------------------------- */

#define READ_BYTES(name, parameters, arguments)                                                 \
    ssize_t name parameters                                                                     \
    {                                                                                           \
        const int error = point_fd(READ, #name, fd);                                            \
        FAIL_AS(error, -1);                                                                     \
        if (error == SHORT)                                                                     \
            size = (size + 1) / 2;                                                              \
        return NEXT(name) arguments;                                                            \
    }
READ_BYTES(read,    (int fd, void *to, size_t size),               (fd, to, size))
READ_BYTES(pread,   (int fd, void *to, size_t size, off_t at),     (fd, to, size, at))
READ_BYTES(pread64, (int fd, void *to, size_t size, off64_t at),   (fd, to, size, at))

size_t fread(void *to, size_t size, size_t count, FILE *file)
{
    const int error = counting ? point_fd(READ, "fread", fileno(file)) : 0;

    if (error > 0)
        file->_flags |= SEEN;
    FAIL_AS(error, 0);
    return NEXT(fread)(to, size, count, file);
}

struct dirent *readdir(DIR *folder)
{
    const int error = counting ? point_fd(FOLDER, "readdir", dirfd(folder)) : 0;

    FAIL_AS(error, NULL);
    return NEXT(readdir)(folder);
}

/* --- memory ----------------------------------------------------------------------------- */

/* glibc's own names, since dlsym() allocates. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static bool fails(const char *call)
{
    const bool failed = initialised && point(MEMORY, call, "") > 0;

    if (failed)
        errno = ENOMEM;
    return failed;
}

void *malloc(size_t bytes)
{
    return fails("malloc") ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails("calloc") ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails("realloc") ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails("aligned_alloc") ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes)
{
    if (fails("posix_memalign"))
        return ENOMEM;
    *block = __libc_memalign(alignment, bytes);
    return *block == NULL ? ENOMEM : 0;
}

/* A disk that was full is full for those who ask, too. */
int statvfs(const char *path, struct statvfs *disk)
{
    const int status = NEXT(statvfs)(path, disk);

    if (status == 0 && is_struck && ACTION[spec_action].error == ENOSPC)
        disk->f_bavail = 0;
    return status;
}

/* --- messages ------------------------------------------------------------------------ */

#define MESSAGE_BY(name, parameters, arguments)                                                 \
    int name parameters                                                                         \
    {                                                                                           \
        point(MESSAGE, #name, "");                                                              \
        return NEXT(name) arguments;                                                            \
    }
#define FROM const void *from, int n, MPI_Datatype t
#define TO   void *to, int m, MPI_Datatype u
MESSAGE_BY(MPI_Barrier,    (MPI_Comm c), (c))
MESSAGE_BY(MPI_Ibarrier,   (MPI_Comm c, MPI_Request *r), (c, r))
MESSAGE_BY(MPI_Bcast,      (TO, int root, MPI_Comm c), (to, m, u, root, c))
MESSAGE_BY(MPI_Reduce,     (const void *from, TO, MPI_Op op, int root, MPI_Comm c),
                           (from, to, m, u, op, root, c))
MESSAGE_BY(MPI_Allreduce,  (const void *from, TO, MPI_Op op, MPI_Comm c), (from, to, m, u, op, c))
MESSAGE_BY(MPI_Iallreduce, (const void *from, TO, MPI_Op op, MPI_Comm c, MPI_Request *r),
                           (from, to, m, u, op, c, r))
MESSAGE_BY(MPI_Gather,     (FROM, TO, int root, MPI_Comm c), (from, n, t, to, m, u, root, c))
MESSAGE_BY(MPI_Allgather,  (FROM, TO, MPI_Comm c), (from, n, t, to, m, u, c))
MESSAGE_BY(MPI_Alltoall,   (FROM, TO, MPI_Comm c), (from, n, t, to, m, u, c))
MESSAGE_BY(MPI_Gatherv,    (FROM, void *to, const int *m, const int *at, MPI_Datatype u, int root,
                            MPI_Comm c), (from, n, t, to, m, at, u, root, c))
MESSAGE_BY(MPI_Allgatherv, (FROM, void *to, const int *m, const int *at, MPI_Datatype u,
                            MPI_Comm c), (from, n, t, to, m, at, u, c))
MESSAGE_BY(MPI_Alltoallv,  (const void *from, const int *n, const int *of, MPI_Datatype t, void *to,
                            const int *m, const int *at, MPI_Datatype u, MPI_Comm c),
                           (from, n, of, t, to, m, at, u, c))
MESSAGE_BY(MPI_Send,       (FROM, int rank, int tag, MPI_Comm c), (from, n, t, rank, tag, c))
MESSAGE_BY(MPI_Recv,       (TO, int rank, int tag, MPI_Comm c, MPI_Status *s),
                           (to, m, u, rank, tag, c, s))
MESSAGE_BY(MPI_Win_fence,  (int assert, MPI_Win w), (assert, w))

double MPI_Wtime(void)
{
    static atomic_long calls;

    if (!counting || *variable("STRIKE_CLOCK") == '\0')
        return NEXT(MPI_Wtime)();
    return (double)++calls * atof(variable("STRIKE_CLOCK"));
}

/* --- thousands of points ------------------------------------------------------------- */

/* A stage takes longer to load and to start MPI than to do a small suite.  So, where STRIKE_SERVE
 * is the number of a socket, a process of one rank (without mpirun) stops after MPI_Init_thread()
 * and takes requests.  A request is TEXT bytes: a STRIKE, which may be empty.  For each request a
 * child goes on as the stage, and the answer is how the child ended: the int of wait().  A child
 * that is stopped goes on at once. */
static void serve(int fd)
{
    char request[TEXT];
    int  ending;

    while (read(fd, request, sizeof request) == sizeof request) {
        const pid_t child = fork();
        if (child == 0) {
            close(fd);
            served = true;
            spec_read(request);
            return;
        }
        while (waitpid(child, &ending, WUNTRACED) == child && WIFSTOPPED(ending))
            kill(child, SIGCONT);
        if (NEXT(write)(fd, &ending, sizeof ending) != sizeof ending)
            break;
    }
    _exit(0);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    const int status = NEXT(MPI_Init_thread)(argc, argv, required, provided);

    if (counting && *variable("STRIKE_SERVE") != '\0')
        serve(atoi(variable("STRIKE_SERVE")));
    initialised = true;
    return status;
}

/* A child has none of the threads of MPI, for which MPI_Finalize() would wait. */
int MPI_Finalize(void)
{
    return served ? MPI_SUCCESS : NEXT(MPI_Finalize)();
}
