#include "base/blas_core.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char CHOICE[] = "OPENBLAS_CORETYPE";

/* The core that fits, or NULL: OpenBLAS chose one, or the user, or this CPU has no more. */
static const char *better_core(void)
{
    if (getenv(CHOICE) != NULL || strcmp(openblas_get_corename(), "Prescott") != 0)
        return NULL;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "Haswell" : NULL;
}

void blas_core_settle(char **argv)
{
    const char *core = better_core();
    char path[PATH_MAX + 1] = "";

    if (core == NULL)
        return;
    setenv(CHOICE, core, 1);
    if (readlink("/proc/self/exe", path, PATH_MAX) > 0) /* ps shows the name of what is executed */
        execv(path, argv);
    fprintf(stderr, "%s: warning: OpenBLAS does not know this CPU, and is slow; set %s=%s\n",
            argv[0], CHOICE, core);
}
