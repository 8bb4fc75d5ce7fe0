#include "kernels/entropy.h"
#include "kernels/clones.h"
#include "kernels/vectors.h"

#include <math.h>

CLONES static void cap_row(float *logits, int32_t n, float cap)
{
    #pragma omp simd
    for (int32_t i = 0; i < n; i++)
        logits[i] = cap * vector_tanh(logits[i] / cap);
}

void entropy_soft_cap(float *logits, int64_t rows, int32_t vocabulary, float cap)
{
    if (cap == 0)
        return;
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        cap_row(logits + r * vocabulary, vocabulary, cap);
}

/* The derivative of tanh is 1 - tanh^2. */
CLONES static void cap_row_back(float *restrict gradient, const float *restrict capped, int32_t n,
                                float cap)
{
    #pragma omp simd
    for (int32_t i = 0; i < n; i++)
        gradient[i] *= 1 - capped[i] / cap * (capped[i] / cap);
}

void entropy_soft_cap_back(float *gradient, const float *capped, int64_t rows, int32_t vocabulary,
                           float cap)
{
    if (cap == 0)
        return;
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        cap_row_back(gradient + r * vocabulary, capped + r * vocabulary, vocabulary, cap);
}

/* The sum over a quarter of a million tokens is double; its terms are float. */
CLONES static float log_sum_row(const float *logits, int32_t n)
{
    float largest = -INFINITY;
    double sum = 0;

    #pragma omp simd reduction(max : largest)
    for (int32_t i = 0; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    #pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < n; i++)
        sum += (double)vector_exp(logits[i] - largest);
    return (float)(log(sum) + (double)largest);
}

void entropy_log_sums(float *log_sum, const float *logits, int64_t rows, int32_t vocabulary)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        log_sum[r] = log_sum_row(logits + r * vocabulary, vocabulary);
}

CLONES static float divergence_row(const float *p, float p_log_sum, const float *q,
                                    float q_log_sum, int32_t n)
{
    double sum = 0;

    #pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < n; i++) {
        const float log_p = p[i] - p_log_sum;
        sum += (double)(vector_exp(log_p) * (log_p - (q[i] - q_log_sum)));
    }
    return (float)sum;
}

void entropy_divergences(float *kl, const float *p, const float *p_log_sum, const float *q,
                         const float *q_log_sum, int64_t rows, int32_t vocabulary)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        kl[r] = divergence_row(p + r * vocabulary, p_log_sum[r], q + r * vocabulary,
                               q_log_sum[r], vocabulary);
}
