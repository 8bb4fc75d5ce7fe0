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

double sum_squares(const float *in, int64_t n)
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
