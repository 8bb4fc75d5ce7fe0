#include "kernels/gemm.h"
#include "base/minmax.h"

#include <cblas.h>

/* Inside a parallel region OpenBLAS uses one thread. */
static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, float *c, int64_t ldc,
                 const float *a, int64_t lda, const float *b, int64_t ldb,
                 int64_t m, int64_t n, int64_t k, bool add)
{
    const int64_t down = (m + GEMM_ROWS - 1) / GEMM_ROWS;
    const int64_t across = (n + GEMM_COLUMNS - 1) / GEMM_COLUMNS;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t tile = 0; tile < down * across; tile++) {
        const int64_t i = tile / across * GEMM_ROWS, j = tile % across * GEMM_COLUMNS;
        cblas_sgemm(CblasRowMajor, ta, tb, (blasint)min_int64(GEMM_ROWS, m - i),
                    (blasint)min_int64(GEMM_COLUMNS, n - j), (blasint)k, 1,
                    a + i * (ta == CblasNoTrans ? lda : 1), (blasint)lda,
                    b + j * (tb == CblasNoTrans ? 1 : ldb), (blasint)ldb, add ? 1 : 0,
                    c + i * ldc + j, (blasint)ldc);
    }
}

void gemm_nn(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add)
{
    gemm(CblasNoTrans, CblasNoTrans, c, ldc, a, lda, b, ldb, m, n, k, add);
}

void gemm_nt(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add)
{
    gemm(CblasNoTrans, CblasTrans, c, ldc, a, lda, b, ldb, m, n, k, add);
}

void gemm_tn(float *c, int64_t ldc, const float *a, int64_t lda, const float *b, int64_t ldb,
             int64_t m, int64_t n, int64_t k, bool add)
{
    gemm(CblasTrans, CblasNoTrans, c, ldc, a, lda, b, ldb, m, n, k, add);
}
