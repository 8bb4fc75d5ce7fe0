/* affine.h -- y = W x + b for one vector in float64, and the way back.
 *
 * For what is optimised by many small steps, where float32 would be the limit of the result.  One
 * thread; sums are taken in an order that depends on the sizes alone.
 */
#ifndef AFFINE_H
#define AFFINE_H

#include <stdint.h>

/* y = W x + b.
 *   y      [outputs]          out
 *   weight [outputs, inputs]  in: W
 *   bias   [outputs]          in
 *   x      [inputs]           in */
void affine_apply(double *restrict y, const double *restrict weight, const double *restrict bias,
                  const double *restrict x, int64_t outputs, int64_t inputs);

/* From the gradient by y to that by x, W^T y.
 *   x      [inputs]           out
 *   y      [outputs]          in */
void affine_apply_back(double *restrict x, const double *restrict weight, const double *restrict y,
                       int64_t outputs, int64_t inputs);

#endif
