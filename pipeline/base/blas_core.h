/* blas_core.h -- OpenBLAS takes the kernels of this CPU.
 *
 * It chooses among its kernels ("cores") when it is loaded, by the CPU's model number.  A CPU that
 * is newer than the library gets those of any x86-64, "Prescott" of 2004, which need six times as
 * long on one with AVX-512.
 */
#ifndef BLAS_CORE_H
#define BLAS_CORE_H

/* If OpenBLAS does not know this CPU, start the program again with the core that fits named in
 * OPENBLAS_CORETYPE.  What the user set there stays.  Called first of all: what the program has
 * done so far it does again.  Local. */
void blas_core_settle(char **argv);

#endif
