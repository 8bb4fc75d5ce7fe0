#include "base/limits.h"
#include "base/file.h"
#include "base/human.h"
#include "base/minmax.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>

/* Generous for mpirun 4.1 and its ranks, but for the last four.  Measured: a stage without data has
 * 172 MB of address space, and 131 MB more for each thread, a buffer of OpenBLAS.  Its threads take
 * another buffer, for packing, and a stack. */
enum {
    FILES_OF_MPIRUN = 64, FILES_OF_A_RANK = 8,
    FILE_BYTES = 64 << 20, SESSION_BYTES = 16 << 20,
    STAGE_BYTES = 172000000, BUFFER_BYTES = 131000000, THREAD_BYTES = (64 + 8) << 20,
    SHARED_OF_A_RANK = 6 << 20,
};

static void raise_limit(int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

void limits_raise(void)
{
    raise_limit(RLIMIT_NOFILE);
    raise_limit(RLIMIT_FSIZE);
}

/* How high a limit may be raised. */
static int64_t limit_of(int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0 || limit.rlim_max > INT64_MAX)
        return INT64_MAX;
    return (int64_t)limit.rlim_max;
}

enum status limits_check_ranks(int ranks)
{
    const int64_t files = limit_of(RLIMIT_NOFILE), bytes = limit_of(RLIMIT_FSIZE);
    const int64_t needed = FILES_OF_MPIRUN + (int64_t)ranks * FILES_OF_A_RANK;
    const char *folder = getenv("TMPDIR");
    enum status st;

    REQUIRE(files >= needed, E_SPACE, "%d ranks need %lld open files, but the limit is %lld; raise "
            "it (ulimit -n)", ranks, (long long)needed, (long long)files);
    REQUIRE(bytes >= FILE_BYTES, E_SPACE, "files may have %s at most, but need %s and more; raise "
            "the limit (ulimit -f)", human_bytes((double)bytes), human_bytes(FILE_BYTES));
    TRY(file_check_disk(folder != NULL && folder[0] != '\0' ? folder : "/tmp", SESSION_BYTES,
                        "mpirun"));
done:
    return st;
}

/* Address space that this process has already. */
static int64_t address_space(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

enum status limits_check_address_space(int64_t bytes, int threads, const char *purpose)
{
    const int64_t loaded = STAGE_BYTES + (int64_t)threads * BUFFER_BYTES;
    const int64_t needed = max_int64(address_space(), loaded) + bytes
                           + (int64_t)threads * THREAD_BYTES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY
        || needed <= (int64_t)limit.rlim_cur)
        return OK;
    return refuse(E_SPACE, "%s needs %s of address space in each rank of %d thread%s, but the "
                  "limit is %s; raise it (ulimit -v, or the batch system's limit of virtual "
                  "memory)", purpose, human_bytes((double)needed), threads,
                  threads == 1 ? "" : "s", human_bytes((double)limit.rlim_cur));
}

int64_t limits_shared(int ranks)
{
    struct statvfs disk;

    if (statvfs("/dev/shm", &disk) != 0)
        return INT64_MAX;
    return max_int64(0, (int64_t)disk.f_bavail * (int64_t)disk.f_frsize
                        - (int64_t)ranks * SHARED_OF_A_RANK);
}

/* --- while the program is loaded ---------------------------------------------------- */

/* OpenBLAS asks for its buffers before main() begins, and tries for ever if it cannot have them.
 * Loading takes no such time of a processor. */
enum { LOADING_SECONDS = 5 };

static void on_time_over(int signal)
{
    static const char WORDS[] = "saemill: OpenBLAS gets no memory for its buffers; raise the limit "
                                "of address space (ulimit -v), or lower OMP_NUM_THREADS\n";

    (void)signal;
    _exit(write(STDERR_FILENO, WORDS, sizeof WORDS - 1) < 0 ? E_IO : E_SPACE);
}

static void set_timer(int seconds)
{
    const struct itimerval timer = { .it_value.tv_sec = seconds };

    signal(SIGPROF, seconds > 0 ? on_time_over : SIG_DFL);
    setitimer(ITIMER_PROF, &timer, NULL);
}

static void before_libraries(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        set_timer(LOADING_SECONDS);
}

__attribute__((section(".preinit_array"), used))
static void (*const BEFORE_LIBRARIES)(void) = before_libraries;

__attribute__((constructor)) static void after_libraries(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        set_timer(0);
}
