/* bf16.h -- bfloat16, the upper half of a float32, and IEEE halves. */
#ifndef BF16_H
#define BF16_H

#include <stdbool.h>
#include <stdint.h>

/* out[i] = in[i], exactly. */
void bf16_to_float(float *restrict out, const uint16_t *restrict in, int64_t n);

/* out[i] = in[i] rounded to nearest, ties to even; NaN stays NaN, too large becomes
 * infinite, both as IEEE 754 has it. */
void bf16_from_float(uint16_t *restrict out, const float *restrict in, int64_t n);

/* out[i] = in[i], exactly, from IEEE halves; where these are not finite, out[i] is anything. */
void half_to_float(float *restrict out, const uint16_t *restrict in, int64_t n);

/* Is none of n numbers infinite or NaN?  A number is so if all bits of its exponent are set.
 *   exponent  these bits: 0x7f80 for bf16, 0x7c00 for IEEE halves */
bool halves_finite(const uint16_t *in, int64_t n, uint16_t exponent);
bool floats_finite(const float *in, int64_t n);

/* The sum of in[i]^2, in double, in an order that depends on n alone. */
double sum_squares(const float *in, int64_t n);

#endif
