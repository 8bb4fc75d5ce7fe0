/* vectors.h -- exp, tanh and the normal distribution without branches and calls, so that the
 * compiler can vectorise loops with them.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>
#include <string.h>

/* e^x for |x| < 10^6 with a relative error below 3e-7; 0 where it would be below 2^-126,
 * infinite from 2^128 on.  NaN and infinities give NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2; the polynomial in r was fitted to (e^r - 1 - r) / r^2
 * by weighted least squares on Chebyshev nodes.  ln 2 is split so that n times its first
 * part is exact.  The limits apply to 2^n and not to x: a constant x would let the
 * compiler make a branch, and no vector code. */
static inline float vector_exp(float x)
{
    const float to_integer = 12582912;      /* 1.5 * 2^23: adding it rounds to an integer */
    float shifted, n, r, p, power;
    uint32_t bits;

    shifted = x * 1.44269504f + to_integer;
    n = shifted - to_integer;
    r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    p = 0.0013946446f;
    p = p * r + 0.0083691515f;
    p = p * r + 0.041666262f;
    p = p * r + 0.16666517f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;      /* 2^n, since the low bits of `shifted` are n */
    memcpy(&power, &bits, sizeof power);
    power = n < -126 ? 0 : power;
    power = n > 127 ? __builtin_inff() : power;
    return p * power;
}

/* tanh x for |x| < 10^5 with a relative error below 4e-7: a polynomial near 0, where
 * 1 - 2 / (e^2x + 1) would lose digits.  NaN stays NaN. */
static inline float vector_tanh(float x)
{
    const float u = x * x, far = 1 - 2 / (vector_exp(2 * x) + 1);
    float p = -0.0057040425f;

    p = p * u + 0.020637862f;
    p = p * u - 0.053739157f;
    p = p * u + 0.13331431f;
    p = p * u - 0.33333281f;
    p = p * u * x + x;
    return u < 0.390625f ? p : far;
}

/* The normal distribution function, (1 + erf(x / sqrt(2))) / 2, for |x| < 10^3 with an error below
 * 3e-7.  NaN stays NaN.
 *
 * With z = |x| / sqrt(2) and t = 1 / (1 + 0.43 z), erfc(z) = t p(t) e^(-z^2); the polynomial was
 * fitted to 0 <= z <= 8 as above, by relative error. */
static inline float vector_normal(float x)
{
    const float z = __builtin_fabsf(x) * 0.70710678f, t = 1 / (1 + 0.43f * z);
    float p = 0.0744197367f, tail;

    p = p * t - 0.313448417f;
    p = p * t + 0.389218688f;
    p = p * t - 0.0910252273f;
    p = p * t + 0.249784111f;
    p = p * t + 0.204013354f;
    p = p * t + 0.244534229f;
    p = p * t + 0.242503624f;
    tail = 0.5f * t * p * vector_exp(-z * z);
    return x < 0 ? tail : 1 - tail;
}

#endif
