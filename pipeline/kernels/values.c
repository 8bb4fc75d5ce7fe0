#include "kernels/values.h"
#include "kernels/clones.h"

#include <string.h>

CLONES bool values_finite_bf16(const uint16_t *in, int64_t n, uint16_t exponent)
{
    uint16_t found = 0;

    for (int64_t i = 0; i < n; i++)
        found |= (uint16_t)((in[i] & exponent) == exponent);
    return found == 0;
}

CLONES bool values_finite(const float *in, int64_t n)
{
    uint32_t found = 0;

    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        found |= (uint32_t)((bits & 0x7f800000) == 0x7f800000);
    }
    return found == 0;
}

/* A product of floats is exact in double, so a fused multiply-add gives the same bits. */
CLONES double values_dot(const float *x, const float *y, int64_t n)
{
    double lane[8] = {0};   /* eight sums, so that the compiler can vectorise */
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += (double)x[i + j] * (double)y[i + j];
    for (; i < n; i++)
        lane[i % 8] += (double)x[i] * (double)y[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3]))
           + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

double values_sum_squares(const float *in, int64_t n)
{
    return values_dot(in, in, n);
}

CLONES int32_t values_count_below(const float *in, float bound, int32_t n)
{
    int32_t below = 0;

    for (int32_t i = 0; i < n; i++)
        below += in[i] < bound;
    return below;
}

CLONES
void values_scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}
