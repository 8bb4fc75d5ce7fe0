#include "kernels/bf16.h"
#include "kernels/clones.h"

#include <string.h>

CLONES void bf16_to_float(float *restrict out, const uint16_t *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)in[i] << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

CLONES void bf16_from_float(uint16_t *restrict out, const float *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        /* Just below half a unit of the last place kept, and one more if that is odd. */
        const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
        const uint32_t nan = (bits & 0x7fffffff) > 0x7f800000;
        out[i] = (uint16_t)((nan ? bits | 0x400000 : rounded) >> 16);
    }
}

/* The 5 bits of the exponent with bias 15 become 8 with bias 127: a factor 2^112, which also makes
 * of a denormal half what it is. */
CLONES void half_to_float(float *restrict out, const uint16_t *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)(in[i] & 0x8000) << 16 | (uint32_t)(in[i] & 0x7fff) << 13;
        float value;
        memcpy(&value, &bits, sizeof value);
        out[i] = value * 0x1p112f;
    }
}

CLONES bool halves_finite(const uint16_t *in, int64_t n, uint16_t exponent)
{
    uint16_t found = 0;

    for (int64_t i = 0; i < n; i++)
        found |= (uint16_t)((in[i] & exponent) == exponent);
    return found == 0;
}

CLONES bool floats_finite(const float *in, int64_t n)
{
    uint32_t found = 0;

    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        found |= (uint32_t)((bits & 0x7f800000) == 0x7f800000);
    }
    return found == 0;
}

/* A square is exact in double, so it makes no difference whether a CPU rounds before it adds. */
CLONES double sum_squares(const float *in, int64_t n)
{
    double lane[8] = {0};   /* eight sums, so that the compiler may use vectors */
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            lane[j] += (double)in[i + j] * (double)in[i + j];
    for (; i < n; i++)
        lane[i % 8] += (double)in[i] * (double)in[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
