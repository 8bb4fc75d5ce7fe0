/* rope.h -- rotary position embedding (Su et al., arXiv:2104.09864): the first dimensions of a head
 * turn, and dimension i of them is paired with i + half of them, as in the checkpoints of Hugging
 * Face.
 */
#ifndef ROPE_H
#define ROPE_H

#include <stdint.h>

/* Pair i of `width` / 2 turns by base^(-2 i / width) radians a position, divided by `factor`.
 * Llama 3 divides only what turns slowly: a pair that makes fewer than `low` turns in `original`
 * positions.  One that makes more than `high` is not divided, and between them the share of both
 * speeds changes linearly. */
struct rope {
    int32_t width;          /* dimensions of a head that turn; even */
    double  base;
    double  factor;         /* 1: not divided */
    double  original;       /* positions; 0: every pair is divided */
    double  low, high;
};

/* Compute the angles of every position.  They are rounded to float32 before cosine and sine are
 * computed, as when the models were trained.
 *   cosine, sine [positions, width / 2]  out */
void rope_angles(float *cosine, float *sine, int64_t positions, const struct rope *rope);

/* The same of chosen positions.
 *   cosine, sine [rows, width / 2]  out
 *   position     [rows]             in */
void rope_angles_at(float *cosine, float *sine, const int64_t *position, int64_t rows,
                    const struct rope *rope);

/* Rotate each head of every row, in place.  Row r is at position r % context.
 *   x  rows `stride` values apart; each starts with `heads` heads of head_width values; of these
 *      the first `width` turn */
void rope_rotate(float *x, int64_t stride, const float *cosine, const float *sine, int64_t rows,
                 int64_t context, int32_t heads, int32_t head_width, int32_t width);

/* Rotate the other way: the inverse, and the way back of a gradient. */
void rope_rotate_back(float *x, int64_t stride, const float *cosine, const float *sine,
                      int64_t rows, int64_t context, int32_t heads, int32_t head_width,
                      int32_t width);

#endif
