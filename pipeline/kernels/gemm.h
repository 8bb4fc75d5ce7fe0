/* gemm.h -- dense matrix products in float32, on BLAS.
 *
 * All matrices are row-major; `ld` is the distance between rows, in elements.  C is divided into
 * tiles of GEMM_ROWS x GEMM_COLUMNS from its first element on, and one thread computes a tile.
 * (How BLAS itself divides a product among threads changes the last bits on some CPUs.)  So the
 * result does not depend on the number of threads.  Nor does it depend on how the caller divides C
 * into several calls, as long as it divides between tiles.  It does depend on how k is divided.
 */
#ifndef GEMM_H
#define GEMM_H

#include <stdbool.h>
#include <stdint.h>

enum { GEMM_ROWS = 512, GEMM_COLUMNS = 1024 };

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
