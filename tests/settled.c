/* settled.c -- tests and benchmarks compute with the BLAS kernels that the programs take
 * (base/blas_core.h).  Linked with each of them. */
#include "base/blas_core.h"

__attribute__((constructor)) static void settle(int argc, char **argv)
{
    (void)argc;
    blas_core_settle(argv);
}
