#include "driver/cores.h"
#include "base/cgroup.h"
#include "base/file.h"

#include <sched.h>
#include <stdio.h>

/* Lower *cores to the quota of a control group: QUOTA PERIOD, in version 1 in two files.
 * Without a limit the quota is "max" or -1. */
static void quota_at(const char *folder, void *data)
{
    static const char *const FILES[][2] = {
        { "cpu.max", NULL }, { "cpu.cfs_quota_us", "cpu.cfs_period_us" },
    };
    double *cores = data, quota = 0, period = 0;
    char path[PATH_LENGTH];

    for (int version = 0; version < 2; version++) {
        path_print(path, "%s/%s", folder, FILES[version][0]);
        FILE *file = fopen(path, "r");
        int numbers = file == NULL ? 0 : fscanf(file, "%lf %lf", &quota, &period);
        if (file != NULL)
            fclose(file);
        if (numbers == 1 && version == 1) {
            path_print(path, "%s/%s", folder, FILES[version][1]);
            file = fopen(path, "r");
            numbers += file != NULL && fscanf(file, "%lf", &period) == 1;
            if (file != NULL)
                fclose(file);
        }
        if (numbers == 2 && quota > 0 && period > 0 && quota / period < *cores)
            *cores = quota / period;
    }
}

int cores_available(void)
{
    double cores = 1;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cores = CPU_COUNT(&set);
    cgroup_visit("cpu", quota_at, &cores);
    return cores < 1 ? 1 : (int)cores;
}
