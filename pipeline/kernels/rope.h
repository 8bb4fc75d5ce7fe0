/* rope.h -- rotary position embedding (Su et al., arXiv:2104.09864); dimension i of a
 * head is paired with i + head_width / 2, as in the checkpoints of Hugging Face.
 */
#ifndef ROPE_H
#define ROPE_H

#include <stdint.h>

/* Compute the angles of every position, position / factor * base^(-2 i / head_width).  They are
 * rounded to float32 before cosine and sine are computed, as when the models were trained.
 *   cosine, sine [positions, head_width / 2]  out */
void rope_angles(float *cosine, float *sine, int64_t positions, int32_t head_width, double base,
                 double factor);

/* Rotate each head of every row, in place.  Row r is at position r % context.
 *   x  rows `stride` values apart; each starts with `heads` heads of head_width values */
void rope_rotate(float *x, int64_t stride, const float *cosine, const float *sine, int64_t rows,
                 int64_t context, int32_t heads, int32_t head_width);

#endif
