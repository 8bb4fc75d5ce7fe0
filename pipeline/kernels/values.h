/* values.h -- a row of numbers: is it finite, how long is it, scale it. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Is none of n numbers infinite or NaN?  A number is so if all bits of its exponent are set.
 *   exponent  these bits: 0x7f80 for bf16, 0x7c00 for IEEE halves */
bool values_finite_bf16(const uint16_t *in, int64_t n, uint16_t exponent);
bool values_finite(const float *in, int64_t n);

/* The sum of in[i]^2, in double, in an order that depends on n alone. */
double values_sum_squares(const float *in, int64_t n);

/* Multiply n values by a factor. */
void values_scale(float *x, float factor, int64_t n);

#endif
