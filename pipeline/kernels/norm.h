/* norm.h -- RMSNorm (Zhang and Sennrich, arXiv:1910.07467):
 *
 *   y = scale * x / sqrt(mean(x^2) + epsilon)
 */
#ifndef NORM_H
#define NORM_H

#include <stdint.h>

/* Normalise every row of x.
 *   y [rows, width]  out, may be x
 *   x [rows, width]  in
 *   scale [width]    in
 * A row's result depends on that row alone. */
void rms_norm(float *y, const float *x, const float *scale, int64_t rows, int32_t width,
              float epsilon);

/* x += y, element by element; n elements that do not overlap. */
void add_rows(float *restrict x, const float *restrict y, int64_t n);

#endif
