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

void norm_rms(float *y, const float *x, const float *scale, int64_t rows, int32_t width,
              float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        norm_row(y + r * width, x + r * width, scale, width, epsilon);
}

CLONES static void layer_norm_row(float *y, const float *x, const float *scale,
                                  const float *bias, int32_t width, float epsilon)
{
    float sum = 0, squares = 0;

    #pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < width; i++)
        sum += x[i];
    const float mean = sum / (float)width;
    #pragma omp simd reduction(+ : squares)
    for (int32_t i = 0; i < width; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    const float factor = 1 / sqrtf(squares / (float)width + epsilon);
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        y[i] = (x[i] - mean) * factor * scale[i] + bias[i];
}

void norm_layer(float *y, const float *x, const float *scale, const float *bias, int64_t rows,
                int32_t width, float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        layer_norm_row(y + r * width, x + r * width, scale, bias, width, epsilon);
}

void norm_rms_heads(float *x, int64_t stride, const float *scale, int64_t rows, int32_t heads,
                    int32_t head_width, float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        for (int32_t h = 0; h < heads; h++) {
            float *head = x + r * stride + (int64_t)h * head_width;
            norm_row(head, head, scale, head_width, epsilon);
        }
}

void norm_copy_rows(float *restrict y, const float *restrict x, int64_t n)
{
    #pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i];
}

void norm_add_rows(float *restrict x, const float *restrict y, int64_t n)
{
    #pragma omp parallel for simd
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}
