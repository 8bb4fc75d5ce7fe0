#include "kernels/norm.h"
#include "kernels/clones.h"

#include <math.h>

CLONES static void norm_row(float *y, const float *x, const float *scale, int32_t width,
                             float epsilon)
{
    float squares = 0;

    #pragma omp simd reduction(+ : squares)
    for (int32_t i = 0; i < width; i++)
        squares += x[i] * x[i];
    const float factor = 1 / sqrtf(squares / (float)width + epsilon);
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        y[i] = x[i] * factor * scale[i];
}

void rms_norm(float *y, const float *x, const float *scale, int64_t rows, int32_t width,
              float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        norm_row(y + r * width, x + r * width, scale, width, epsilon);
}

void add_rows(float *restrict x, const float *restrict y, int64_t n)
{
    #pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}
