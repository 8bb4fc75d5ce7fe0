/* bench_gemm -- how fast does this machine multiply the matrices of a model?
 *
 *   mpirun -n RANKS build/tests/bench/bench_gemm SECONDS WIDTH HEADS KV MLP
 *
 * WIDTH is that of the residual stream, HEADS and KV of all heads' queries and keys, MLP of the
 * hidden layer: 2304 2048 1024 9216 in Gemma 2 2B.
 *
 * The products of one layer, nothing else: weights packed, inputs in the precision of the product,
 * for SECONDS in each precision on every rank at once.  Printed: GFLOP/s of all ranks together; 0
 * for bf16 where the build or the CPU has no such product.
 */
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "base/minmax.h"
#include "kernels/bf16.h"
#include "kernels/product.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 2048, SHAPES = 4 };

/* Outputs and inputs: queries, keys and values; attention's output; gates and ups; the MLP's
 * output. */
static int shapes[SHAPES][2];

/* The largest of them, and of their products. */
static int64_t most_inputs, most_outputs, most;

static void take_shape(int width, int heads, int kv, int mlp)
{
    const int shape[SHAPES][2] = {
        { heads + 2 * kv, width }, { width, heads }, { 2 * mlp, width }, { width, mlp },
    };

    memcpy(shapes, shape, sizeof shape);
    for (int s = 0; s < SHAPES; s++) {
        most_outputs = max_int64(most_outputs, shape[s][0]);
        most_inputs = max_int64(most_inputs, shape[s][1]);
        most = max_int64(most, (int64_t)shape[s][0] * shape[s][1]);
    }
}

/* Numbers in (-1, 1), with full mantissas. */
static void fill(float *values, int64_t n)
{
    uint32_t state = 1;

    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)state * 0x1p-31f;
    }
}

static uint16_t *rounded(const float *values, int64_t n)
{
    uint16_t *half = allocate(n, sizeof *half);

    bf16_from_float(half, values, n);
    return half;
}

/* Operations per second of all shapes in turn, over and over; the first turn does not count. */
static double rate(void (*multiply)(void *, int), void *operands, double seconds)
{
    double start = 0, now = 0, work = 0;

    for (int turn = 0; turn == 0 || now - start < seconds; turn++) {
        if (turn == 1) {
            MPI_Barrier(MPI_COMM_WORLD);
            start = omp_get_wtime();
            work = 0;
        }
        for (int s = 0; s < SHAPES; s++) {
            multiply(operands, s);
            work += 2.0 * ROWS * shapes[s][0] * shapes[s][1];
        }
        now = turn == 0 ? start : omp_get_wtime();
    }
    return work / (now - start);
}

struct floats {
    float *y, *x, *w;
};

static void multiply_floats(void *operands, int s)
{
    const struct floats *f = operands;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ROWS, shapes[s][0], shapes[s][1], 1, f->x,
                shapes[s][1], f->w, shapes[s][1], 0, f->y, shapes[s][0]);
}

struct halves {
    float          *y;
    uint16_t       *x;
    struct product *product[SHAPES];
    void           *packed[SHAPES];
};

static void multiply_halves(void *operands, int s)
{
    const struct halves *h = operands;

    product_run(h->product[s], h->y, h->x, h->packed[s]);
}

static double rate_of_halves(const struct floats *f, double seconds)
{
    struct halves h = { .y = f->y, .x = rounded(f->x, ROWS * most_inputs) };
    uint16_t *w = rounded(f->w, most);

    for (int s = 0; s < SHAPES; s++) {
        h.product[s] = product_make(ROWS, shapes[s][0], shapes[s][1], false);
        h.packed[s] = aligned_alloc(64, (size_t)(product_bytes(h.product[s]) + 63) / 64 * 64);
        product_pack(h.product[s], h.packed[s], w, PRECISION_BF16, shapes[s][1], 1);
    }
    const double result = rate(multiply_halves, &h, seconds);
    for (int s = 0; s < SHAPES; s++) {
        free(h.packed[s]);
        product_free(h.product[s]);
    }
    free(w);
    free(h.x);
    return result;
}

int main(int argc, char **argv)
{
    double rates[2] = {0};
    int rank;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc != 6)
        die("usage: bench_gemm SECONDS WIDTH HEADS KV MLP");
    take_shape(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
    struct floats f = { .y = allocate(ROWS * most_outputs, sizeof *f.y),
                        .x = allocate(ROWS * most_inputs, sizeof *f.x),
                        .w = allocate(most, sizeof *f.w) };
    fill(f.x, ROWS * most_inputs);
    fill(f.w, most);
    if (product_offered())
        rates[0] = rate_of_halves(&f, atof(argv[1]));
    rates[1] = rate(multiply_floats, &f, atof(argv[1]));
    MPI_Allreduce(MPI_IN_PLACE, rates, 2, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("gemm bf16 %.1f GFLOP/s, f32 %.1f GFLOP/s\n", rates[0] * 1e-9, rates[1] * 1e-9);
    free(f.w);
    free(f.x);
    free(f.y);
    MPI_Finalize();
    return 0;
}
