/* rope.h -- rotary position embedding (Su et al., arXiv:2104.09864), with dimension i of a
 * head paired with i + head_width / 2, as the checkpoints of Hugging Face have it.
 */
#ifndef ROPE_H
#define ROPE_H

#include <stdint.h>

/* Angles of every position: position / factor * base^(-2 i / head_width), rounded to float32 before
 * cosine and sine are taken, as the models were trained.
 *   cosine, sine [positions, head_width / 2]  out */
void rope_angles(float *cosine, float *sine, int64_t positions, int32_t head_width, double base,
                 double factor);

/* Turn `heads` heads side by side in every row, in place.  Row r is at position r % context.
 *   x  rows of `stride` values, the heads are the first heads * head_width of them */
void rope_turn(float *x, int64_t stride, const float *cosine, const float *sine, int64_t rows,
               int64_t context, int32_t heads, int32_t head_width);

#endif
