/* values.h -- check, sum, count and scale the numbers of a row. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Are all n numbers finite?  A number is infinite or NaN if all bits of its exponent are set.
 *   exponent  these bits: 0x7f80 for bf16, 0x7c00 for IEEE halves */
bool values_finite_bf16(const uint16_t *in, int64_t n, uint16_t exponent);
bool values_finite(const float *in, int64_t n);

/* The sum of in[i]^2 in double, added in an order that depends only on n. */
double values_sum_squares(const float *in, int64_t n);

/* The sum of x[i] y[i], likewise. */
double values_dot(const float *x, const float *y, int64_t n);

/* How many of n values are below a bound? */
int32_t values_count_below(const float *in, float bound, int32_t n);

/* Multiply n values by a factor. */
void values_scale(float *x, float factor, int64_t n);

#endif
