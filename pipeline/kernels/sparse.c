#include "kernels/sparse.h"
#include "kernels/clones.h"

#include <string.h>

enum { VECTORS = COLUMNS / LANES };

/* Halves are added to halves: 16 lanes, 8, 4, 2, 1. */
static inline float sum_of(const lanes *v)
{
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    const eight a = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7)
                  + __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
    const four b = __builtin_shufflevector(a, a, 0, 1, 2, 3)
                 + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    const four c = b + __builtin_shufflevector(b, b, 2, 3, 0, 1);

    return c[0] + c[1];
}

/* A full block of columns for all groups; the loops over VECTORS unroll into registers. */
CLONES
static void combine_block(float *restrict out, int64_t ld_out, const int64_t *start,
                          const int64_t *end, const int32_t *index, const float *coefficient,
                          const float *x, int64_t ld_x, int64_t groups, bool add)
{
    for (int64_t g = 0; g < groups; g++) {
        lanes sum[VECTORS] = {{0}};
        float *o = out + g * ld_out;

        if (add)
            for (int v = 0; v < VECTORS; v++)
                sum[v] = LOAD(o + v * LANES);
        for (int64_t k = start[g]; k < end[g]; k++) {
            const float *row = x + index[k] * ld_x;
            const float c = coefficient[k];
            for (int v = 0; v < VECTORS; v++)
                sum[v] += c * LOAD(row + v * LANES);
        }
        for (int v = 0; v < VECTORS; v++)
            *(lanes *)(o + v * LANES) = sum[v];
    }
}

void sparse_combine(float *restrict out, int64_t ld_out, const int64_t *start,
                    const int64_t *end, const int32_t *index, const float *coefficient,
                    const float *x, int64_t ld_x, int64_t groups, int64_t columns, bool add)
{
    int64_t c = 0;

    for (; c + COLUMNS <= columns; c += COLUMNS)
        combine_block(out + c, ld_out, start, end, index, coefficient, x + c, ld_x, groups, add);
    if (c < columns)
        sparse_combine_ref(out + c, ld_out, start, end, index, coefficient, x + c, ld_x, groups,
                           columns - c, add);
}

void sparse_combine_ref(float *restrict out, int64_t ld_out, const int64_t *start,
                        const int64_t *end, const int32_t *index, const float *coefficient,
                        const float *x, int64_t ld_x, int64_t groups, int64_t columns, bool add)
{
    for (int64_t g = 0; g < groups; g++)
        for (int64_t c = 0; c < columns; c++) {
            float sum = add ? out[g * ld_out + c] : 0;
            for (int64_t k = start[g]; k < end[g]; k++)
                sum += coefficient[k] * x[index[k] * ld_x + c];
            out[g * ld_out + c] = sum;
        }
}

CLONES
static void dots_block(float *restrict dot, const int64_t *start, const int64_t *end,
                       const int32_t *index, const float *a, int64_t ld_a, const float *b,
                       int64_t ld_b, int64_t groups)
{
    for (int64_t g = 0; g < groups; g++) {
        lanes mine[VECTORS];

        for (int v = 0; v < VECTORS; v++)
            mine[v] = LOAD(a + g * ld_a + v * LANES);
        for (int64_t k = start[g]; k < end[g]; k++) {
            const float *row = b + index[k] * ld_b;
            lanes even = mine[0] * LOAD(row), odd = mine[1] * LOAD(row + LANES);
            for (int v = 2; v < VECTORS; v += 2) {
                even += mine[v] * LOAD(row + v * LANES);
                odd += mine[v + 1] * LOAD(row + (v + 1) * LANES);
            }
            even += odd;
            dot[k] += sum_of(&even);
        }
    }
}

void sparse_dots(float *restrict dot, const int64_t *start, const int64_t *end,
                 const int32_t *index, const float *a, int64_t ld_a, const float *b,
                 int64_t ld_b, int64_t groups, int64_t columns)
{
    int64_t c = 0;

    for (; c + COLUMNS <= columns; c += COLUMNS)
        dots_block(dot, start, end, index, a + c, ld_a, b + c, ld_b, groups);
    if (c < columns)
        sparse_dots_ref(dot, start, end, index, a + c, ld_a, b + c, ld_b, groups, columns - c);
}

void sparse_dots_ref(float *restrict dot, const int64_t *start, const int64_t *end,
                     const int32_t *index, const float *a, int64_t ld_a, const float *b,
                     int64_t ld_b, int64_t groups, int64_t columns)
{
    for (int64_t g = 0; g < groups; g++)
        for (int64_t k = start[g]; k < end[g]; k++) {
            float sum = 0;
            for (int64_t c = 0; c < columns; c++)
                sum += a[g * ld_a + c] * b[index[k] * ld_b + c];
            dot[k] += sum;
        }
}

void sparse_expand(float *restrict out, const int64_t *start, const int64_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t width)
{
    memset(out, 0, (size_t)(groups * width) * sizeof *out);
    for (int64_t g = 0; g < groups; g++)
        for (int64_t k = start[g]; k < end[g]; k++)
            out[g * width + index[k]] += coefficient[k];
}

void sparse_pick(float *restrict dot, const int64_t *start, const int64_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t width)
{
    for (int64_t g = 0; g < groups; g++)
        for (int64_t k = start[g]; k < end[g]; k++)
            dot[k] += dense[g * width + index[k]];
}
