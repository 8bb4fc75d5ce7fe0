/* settled.c -- tests and benchmarks compute with the BLAS kernels that the programs take.  Linked
 * with each of them. */
#include "base/blas_core.h"

#include <stdbool.h>

#ifdef __SANITIZE_ADDRESS__
/* Loops that are sanitized add one value after the other.  With the rounding of wide kernels, too,
 * some values would be off by more than golden ones allow. */
static const bool WANTED = false;
#else
static const bool WANTED = true;
#endif

__attribute__((constructor)) static void settle(int argc, char **argv)
{
    (void)argc;
    if (WANTED)
        blas_core_settle(argv);
}
