#include "base/memory.h"
#include "base/agree.h"
#include "base/cgroup.h"
#include "base/die.h"
#include "base/file.h"
#include "base/human.h"
#include "base/limits.h"
#include "base/minmax.h"

#include <inttypes.h>
#include <malloc.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number in a file; `otherwise` if the file is missing or holds none, such as "max". */
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

/* Lower *limit to the limit of a control group, version 1 or 2. */
static void limit_at(const char *folder, void *data)
{
    static const char *const FILES[] = { "memory.max", "memory.limit_in_bytes" };
    int64_t *limit = data;
    char path[PATH_LENGTH];

    for (int f = 0; f < 2; f++) {
        path_print(path, "%s/%s", folder, FILES[f]);
        *limit = min_int64(*limit, number_in(path, *limit));
    }
}

static int64_t number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text != NULL ? atoll(text) : 0;
}

/* The memory that Slurm gives the job on this node, from its figure for a node or for a core; 0 if
 * it has none. */
static int64_t slurm_limit(void)
{
    const int64_t node = number_of("SLURM_MEM_PER_NODE");     /* in MiB; 0: all of it */
    const int64_t cores = number_of("SLURM_MEM_PER_CPU") * number_of("SLURM_CPUS_ON_NODE");

    return (node > 0 ? node : cores) << 20;
}

int64_t memory_limit(void)
{
    const int64_t slurm = slurm_limit();
    int64_t limit = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);

    cgroup_visit("memory", limit_at, &limit);
    return slurm > 0 ? min_int64(limit, slurm) : limit;
}

enum status memory_check(MPI_Comm comm, int64_t each, const char *purpose)
{
    int64_t needed = each + MEMORY_BASE;
    const int64_t limit = memory_limit();
    enum status st = limits_check_address_space(each, omp_get_max_threads(), purpose);
    MPI_Comm node = comm_of_node(comm);
    int ranks;

    MPI_Comm_size(node, &ranks);
    MPI_Allreduce(MPI_IN_PLACE, &needed, 1, MPI_INT64_T, MPI_SUM, node);
    MPI_Comm_free(&node);
    if (needed > limit)
        st = refuse(E_SPACE, "%s needs %s of memory (%d rank%s on a node), but this job may use "
                    "only %s; give it more memory or fewer ranks a node, or make it smaller",
                    purpose, human_bytes((double)needed), ranks, ranks == 1 ? "" : "s",
                    human_bytes((double)limit));
    return agree(comm, st);
}

enum status memory_check_shared(MPI_Comm comm, int64_t bytes, const char *purpose)
{
    MPI_Comm node = comm_of_node(comm);
    enum status st = OK;
    int ranks;

    MPI_Comm_size(node, &ranks);
    MPI_Comm_free(&node);
    if (ranks > 1 && bytes > limits_shared(ranks))
        st = refuse(E_SPACE, "%s needs %s of shared memory for its %d ranks of a node, but "
                    "/dev/shm has only %s for it; make it larger (docker run --shm-size), or use "
                    "one rank and more threads (OMP_NUM_THREADS), which shares nothing", purpose,
                    human_bytes((double)bytes), ranks,
                    human_bytes((double)limits_shared(ranks)));
    return agree(comm, st);
}

/* Both thresholds are as high as glibc raises them by itself.  One arena: what one thread has freed
 * another one reuses. */
void memory_keep(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

int64_t memory_peak(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

int64_t memory_start_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");

    malloc_trim(0);
    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0)
        die_as(E_IO, "the system does not let a process restart its peak memory");
    return memory_peak();
}
