#include "base/memory.h"
#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* MPI, HDF5, OpenBLAS and the program itself, per rank, measured on small runs. */
static const int64_t BASE_BYTES = 120 << 20;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The number in a one-number file; `otherwise` if there is none ("max" included). */
static int64_t number_in(const char *path, int64_t otherwise)
{
    FILE *file = fopen(path, "r");
    int64_t number = otherwise;

    if (file != NULL) {
        if (fscanf(file, "%" SCNd64, &number) != 1)
            number = otherwise;
        fclose(file);
    }
    return number;
}

/* The smallest limit at `group` and every level above it, up to the mount's root. */
static int64_t limit_along(const char *mount, const char *group, const char *file, int64_t limit)
{
    char at[PATH_LENGTH], path[PATH_LENGTH];

    path_print(at, "%s", group);
    for (;;) {
        path_print(path, "%s%s/%s", mount, at, file);
        limit = least(limit, number_in(path, limit));
        char *slash = strrchr(at, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup are ID:CONTROLLERS:PATH; version 2 has ID 0 and no names. */
static int64_t cgroup_limit(int64_t limit)
{
    FILE *file = fopen("/proc/self/cgroup", "r");
    char line[PATH_LENGTH];

    if (file == NULL)
        return limit;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':');
        char *group = names ? strchr(names + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (names[1] == '\0')
            limit = limit_along("/sys/fs/cgroup", group, "memory.max", limit);
        else if (strcmp(names + 1, "memory") == 0)
            limit = limit_along("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", limit);
    }
    fclose(file);
    return limit;
}

int64_t memory_limit(void)
{
    const char *slurm = getenv("SLURM_MEM_PER_NODE");     /* in MiB; 0 is all */
    int64_t limit = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

    limit = cgroup_limit(limit);
    if (slurm != NULL && atoll(slurm) > 0)
        limit = least(limit, atoll(slurm) << 20);
    return limit;
}

enum status memory_check(MPI_Comm comm, int64_t each, const char *purpose)
{
    int64_t needed = each + BASE_BYTES;
    const int64_t limit = memory_limit();
    enum status st = OK;
    MPI_Comm node;
    int ranks;

    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &ranks);
    MPI_Allreduce(MPI_IN_PLACE, &needed, 1, MPI_INT64_T, MPI_SUM, node);
    MPI_Comm_free(&node);
    if (needed > limit)
        st = refuse(E_ROOM, "%s needs %s of memory (%d rank%s on a node), but this job may use "
                    "only %s; give it more memory or fewer ranks a node, or make it smaller",
                    purpose, bytes_text((double)needed), ranks, ranks == 1 ? "" : "s",
                    bytes_text((double)limit));
    return agree(comm, st);
}

int64_t memory_peak(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}
