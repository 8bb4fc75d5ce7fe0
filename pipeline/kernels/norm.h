/* norm.h -- the two ways in which transformers normalise a row.
 *
 *   RMSNorm (Zhang and Sennrich, arXiv:1910.07467)
 *     y = scale * x / sqrt(mean(x^2) + epsilon)
 *   LayerNorm (Ba, Kiros and Hinton, arXiv:1607.06450)
 *     y = scale * (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) + bias
 */
#ifndef NORM_H
#define NORM_H

#include <stdint.h>

/* Normalise every row of x.
 *   y [rows, width]  out, may be x
 *   x [rows, width]  in
 *   scale [width]    in
 * A row's result depends on that row alone. */
void norm_rms(float *y, const float *x, const float *scale, int64_t rows, int32_t width,
              float epsilon);

/* The same with LayerNorm.
 *   bias [width]     in */
void norm_layer(float *y, const float *x, const float *scale, const float *bias, int64_t rows,
                int32_t width, float epsilon);

/* RMSNorm of each head in every row, in place.
 *   x      rows `stride` values apart; each starts with `heads` heads of head_width values
 *   scale  [head_width]  in, the same for every head */
void norm_rms_heads(float *x, int64_t stride, const float *scale, int64_t rows, int32_t heads,
                    int32_t head_width, float epsilon);

/* The way back: from the gradient at y to the gradient at x.
 *   out       [rows, width]  out: at x; may be `gradient`
 *   gradient  [rows, width]  in: at y
 *   x, scale                 in, as above */
void norm_rms_back(float *out, const float *gradient, const float *x, const float *scale,
                   int64_t rows, int32_t width, float epsilon);
void norm_layer_back(float *out, const float *gradient, const float *x, const float *scale,
                     int64_t rows, int32_t width, float epsilon);

/* The same of norm_rms_heads(), in place.
 *   gradient  in: at y; out: at x; rows as in norm_rms_heads()
 *   x         in: as it was before that; its rows and those of `gradient` are equally far apart */
void norm_rms_heads_back(float *gradient, const float *x, int64_t stride, const float *scale,
                         int64_t rows, int32_t heads, int32_t head_width, float epsilon);

/* y[i] = x[i], and x[i] += y[i], for n elements; x and y do not overlap. */
void norm_copy_rows(float *restrict y, const float *restrict x, int64_t n);
void norm_add_rows(float *restrict x, const float *restrict y, int64_t n);

#endif
