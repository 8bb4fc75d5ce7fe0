/* gemm.h -- dense matrix products in float32, on BLAS.
 *
 * All matrices are row-major; `ld` is the distance between rows, in elements.  The result
 * does not depend on the number of threads, nor on how the caller cuts the rows or the
 * columns of C into several calls as long as each has 2^20 multiplications or more
 * (tests/unit/test_gemm.c checks this CPU's BLAS; below that OpenBLAS has other kernels, so
 * small pieces must always be cut in the same way).  It does depend on how k is cut.
 */
#ifndef GEMM_H
#define GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* C = A B, or C += A B if `add`.
 *   c [m, n]   a [m, k]   b [k, n] */
void gemm_nn(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add);

/* C (+)= A B^T.
 *   c [m, n]   a [m, k]   b [n, k] */
void gemm_nt(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add);

/* C (+)= A^T B.
 *   c [m, n]   a [k, m]   b [k, n] */
void gemm_tn(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add);

#endif
