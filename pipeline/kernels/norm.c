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

/* y = scale x f with f = (mean(x^2) + epsilon)^(-1/2), so with u = scale * gradient
 *   dx = f (u - x f^2 mean(u x)) */
CLONES static void norm_row_back(float *out, const float *gradient, const float *x,
                                 const float *scale, int32_t width, float epsilon)
{
    float squares = 0, along = 0;

    #pragma omp simd reduction(+ : squares, along)
    for (int32_t i = 0; i < width; i++) {
        squares += x[i] * x[i];
        along += scale[i] * gradient[i] * x[i];
    }
    const float factor = 1 / sqrtf(squares / (float)width + epsilon);
    const float share = factor * factor * along / (float)width;
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        out[i] = factor * (scale[i] * gradient[i] - share * x[i]);
}

void norm_rms_back(float *out, const float *gradient, const float *x, const float *scale,
                   int64_t rows, int32_t width, float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        norm_row_back(out + r * width, gradient + r * width, x + r * width, scale, width, epsilon);
}

/* The same with x - mean(x), whose own way back takes away the mean of the gradient. */
CLONES static void layer_norm_row_back(float *out, const float *gradient, const float *x,
                                       const float *scale, int32_t width, float epsilon)
{
    float sum = 0, sum_back = 0, squares = 0, along = 0;

    #pragma omp simd reduction(+ : sum, sum_back)
    for (int32_t i = 0; i < width; i++) {
        sum += x[i];
        sum_back += scale[i] * gradient[i];
    }
    const float mean = sum / (float)width, mean_back = sum_back / (float)width;
    #pragma omp simd reduction(+ : squares, along)
    for (int32_t i = 0; i < width; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        along += scale[i] * gradient[i] * (x[i] - mean);
    }
    const float factor = 1 / sqrtf(squares / (float)width + epsilon);
    const float share = factor * factor * along / (float)width;
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        out[i] = factor * (scale[i] * gradient[i] - mean_back - share * (x[i] - mean));
}

void norm_layer_back(float *out, const float *gradient, const float *x, const float *scale,
                     int64_t rows, int32_t width, float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        layer_norm_row_back(out + r * width, gradient + r * width, x + r * width, scale, width,
                            epsilon);
}

void norm_rms_heads_back(float *gradient, const float *x, int64_t stride, const float *scale,
                         int64_t rows, int32_t heads, int32_t head_width, float epsilon)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        for (int32_t h = 0; h < heads; h++) {
            const int64_t at = r * stride + (int64_t)h * head_width;
            norm_row_back(gradient + at, gradient + at, x + at, scale, head_width, epsilon);
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
