/* gemm_*(): products by their definition, and the promise that threads and cuts do not
 * change bits. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/gemm.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { M = 37, N = 70, K = 53 };

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
}

/* The definition, in double: element (i, j) of A B with A[i, k] at a[i * ai + k * ak]. */
static void check(const float *c, const float *a, int ai, int ak, const float *b, int bk, int bj)
{
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (double)a[i * ai + k * ak] * (double)b[k * bk + j * bj];
            assert_true(fabs(sum - (double)c[i * N + j]) < 1e-5);
        }
}

static void equals_the_definition(void **state)
{
    float a[M * K], b[K * N], c[M * N];

    (void)state;
    fill(a, M * K, 1);
    fill(b, K * N, 2);
    gemm_nn(c, N, a, K, b, N, M, N, K, false);
    check(c, a, K, 1, b, N, 1);
    gemm_nt(c, N, a, K, b, K, M, N, K, false);
    check(c, a, K, 1, b, 1, K);
    gemm_tn(c, N, a, M, b, N, M, N, K, false);
    check(c, a, 1, M, b, N, 1);
    gemm_tn(c, N, a, M, b, N, M, N, K / 2, false);
    gemm_tn(c, N, a + K / 2 * M, M, b + K / 2 * N, N, M, N, K - K / 2, true);
    check(c, a, 1, M, b, N, 1);
}

/* Cut into calls at the edges of tiles, and on one, two and three threads; also where there is
 * but one tile. */
static void gives_the_same_bits_on_any_threads_and_cut_between_tiles(void **state)
{
    enum { ROWS = GEMM_ROWS + 99, COLUMNS = GEMM_COLUMNS + 520, DEPTH = 257 };
    float *a = allocate(ROWS * DEPTH, sizeof *a), *b = allocate(COLUMNS * DEPTH, sizeof *b);
    float *whole = allocate(ROWS * COLUMNS, sizeof *whole);
    float *parts = allocate(ROWS * COLUMNS, sizeof *parts);

    (void)state;
    fill(a, ROWS * DEPTH, 3);
    fill(b, COLUMNS * DEPTH, 4);
    omp_set_num_threads(1);
    gemm_nt(whole, COLUMNS, a, DEPTH, b, DEPTH, ROWS, COLUMNS, DEPTH, false);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        gemm_nt(parts, COLUMNS, a, DEPTH, b, DEPTH, ROWS, COLUMNS, DEPTH, false);
        assert_memory_equal(whole, parts, ROWS * COLUMNS * sizeof *parts);
        for (int i = 0; i < ROWS; i += GEMM_ROWS)
            for (int j = 0; j < COLUMNS; j += GEMM_COLUMNS)
                gemm_nt(parts + i * COLUMNS + j, COLUMNS, a + i * DEPTH, DEPTH, b + j * DEPTH,
                        DEPTH, ROWS - i < GEMM_ROWS ? ROWS - i : GEMM_ROWS,
                        COLUMNS - j < GEMM_COLUMNS ? COLUMNS - j : GEMM_COLUMNS, DEPTH, false);
        assert_memory_equal(whole, parts, ROWS * COLUMNS * sizeof *parts);
        memset(parts, 0, ROWS * COLUMNS * sizeof *parts);
    }
    free(parts);
    free(whole);
    free(b);
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
        cmocka_unit_test(gives_the_same_bits_on_any_threads_and_cut_between_tiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
