/* bf16.h -- bfloat16, the upper half of a float32, and IEEE halves. */
#ifndef BF16_H
#define BF16_H

#include <stdint.h>

/* out[i] = in[i], exactly. */
void bf16_to_float(float *restrict out, const uint16_t *restrict in, int64_t n);

/* out[i] = in[i] rounded to nearest, ties to even.  As in IEEE 754, NaN stays NaN, and numbers that
 * are too large become infinite. */
void bf16_from_float(uint16_t *restrict out, const float *restrict in, int64_t n);

/* out[i] = in[i], exactly, from IEEE halves; if in[i] is not finite, out[i] is undefined. */
void bf16_half_to_float(float *restrict out, const uint16_t *restrict in, int64_t n);

#endif
