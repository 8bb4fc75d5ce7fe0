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
        /* Add just below half a unit in the last place, and one more bit if that place is odd. */
        const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
        const uint32_t nan = (bits & 0x7fffffff) > 0x7f800000;
        out[i] = (uint16_t)((nan ? bits | 0x400000 : rounded) >> 16);
    }
}

/* The exponent changes from 5 bits with bias 15 to 8 bits with bias 127.  Multiplication by 2^112
 * corrects the bias, for denormal halves too. */
CLONES void bf16_half_to_float(float *restrict out, const uint16_t *restrict in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)(in[i] & 0x8000) << 16 | (uint32_t)(in[i] & 0x7fff) << 13;
        float value;
        memcpy(&value, &bits, sizeof value);
        out[i] = value * 0x1p112f;
    }
}
