#include "kernels/dot.h"

#include <immintrin.h>
#include <string.h>

bool dot_offered(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
}

void dot_pack(uint16_t *packed, int64_t panel, const uint16_t *b, int64_t stride, int64_t k,
              int64_t n)
{
    for (int64_t first = 0; first < n; first += DOT_LANES, packed += panel) {
        const int64_t columns = n - first < DOT_LANES ? n - first : DOT_LANES;
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < columns; j++)
                packed[i / 2 * 2 * DOT_LANES + i % 2 + 2 * j] = b[i * stride + first + j];
    }
}

void dot_pack_transposed(uint16_t *packed, int64_t panel, const uint16_t *b, int64_t stride,
                         int64_t k, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        uint16_t *to = packed + j / DOT_LANES * panel + j % DOT_LANES * 2;
        for (int64_t i = 0; i < k; i += 2)
            memcpy(to + i * DOT_LANES, b + j * stride + i, 2 * sizeof *b);
    }
}

/* DOT_ROWS rows times two panels.  The sums stay in registers, and a pair of A is used for both
 * panels. */
__attribute__((target("avx512f,avx512bf16")))
static void multiply_block(float *c, int64_t ldc, const uint16_t *a, int64_t lda,
                           const uint16_t *b, int64_t panel, int64_t k)
{
    __m512 sum[DOT_ROWS][2];

    for (int r = 0; r < DOT_ROWS; r++)
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int64_t i = 0; i < k; i += 2) {
        const __m512bh left = (__m512bh)_mm512_loadu_si512(b + i * DOT_LANES);
        const __m512bh right = (__m512bh)_mm512_loadu_si512(b + panel + i * DOT_LANES);
        for (int r = 0; r < DOT_ROWS; r++) {
            int32_t pair;
            memcpy(&pair, a + r * lda + i, sizeof pair);
            const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], both, left);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], both, right);
        }
    }
    for (int r = 0; r < DOT_ROWS; r++) {
        _mm512_storeu_ps(c + r * ldc, sum[r][0]);
        _mm512_storeu_ps(c + r * ldc + DOT_LANES, sum[r][1]);
    }
}

void dot_product(float *c, int64_t ldc, const uint16_t *a, int64_t lda, const uint16_t *b,
                 int64_t panel, int64_t m, int64_t n, int64_t k)
{
    for (int64_t j = 0; j < n; j += DOT_COLUMNS)    /* two panels stay in cache */
        for (int64_t i = 0; i < m; i += DOT_ROWS)
            multiply_block(c + i * ldc + j, ldc, a + i * lda, lda, b + j / DOT_LANES * panel,
                           panel, k);
}
