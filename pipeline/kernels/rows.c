#include "kernels/rows.h"
#include "kernels/clones.h"

#include <string.h>

CLONES
void rows_subtract(float *out, int64_t ld_out, const float *from, const float *x, int64_t ld,
                   int64_t rows, int64_t columns)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t j = 0; j < columns; j++)
            out[row * ld_out + j] = from[j] - x[row * ld + j];
}

CLONES
void rows_sum(double *restrict sums, const float *restrict x, int64_t ld, int64_t rows,
              int64_t columns)
{
    memset(sums, 0, (size_t)columns * sizeof *sums);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t j = 0; j < columns; j++)
            sums[j] += (double)x[row * ld + j];
}

CLONES
void rows_combine(double *restrict sums, const double *restrict weight, const float *restrict x,
                  int64_t rows, int64_t columns)
{
    memset(sums, 0, (size_t)columns * sizeof *sums);
    for (int64_t row = 0; row < rows; row++)
        for (int64_t j = 0; j < columns; j++)
            sums[j] += weight[row] * (double)x[row * columns + j];
}

CLONES
void row_add(double *restrict sums, const float *restrict row, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++)
        sums[j] += (double)row[j];
}

CLONES
void row_subtract(float *restrict row, const float *restrict x, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++)
        row[j] -= x[j];
}

CLONES
void row_mix(float *restrict row, float *restrict difference, const float *restrict x, float gate,
             int64_t columns)
{
    for (int64_t j = 0; j < columns; j++) {
        difference[j] = row[j] - x[j];
        row[j] = gate * row[j] + (1 - gate) * x[j];
    }
}
