#include "kernels/gemm.h"

#include <cblas.h>

static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, float *c, int64_t ldc,
                 const float *a, int64_t lda, const float *b, int64_t ldb,
                 int64_t m, int64_t n, int64_t k, bool add)
{
    cblas_sgemm(CblasRowMajor, ta, tb, (blasint)m, (blasint)n, (blasint)k, 1, a, (blasint)lda,
                b, (blasint)ldb, add ? 1 : 0, c, (blasint)ldc);
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
