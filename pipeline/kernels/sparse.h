/* sparse.h -- sparse codes as dense matrices, and back.
 *
 * A group g of a list (codes.h) has the entries start[g] <= k < end[g], each with an index
 * and a coefficient.  Dense matrices are row-major.  While many latents are active products go
 * this way, through BLAS; else those of slice.h are faster.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include <stdint.h>

/* The list as a dense matrix: out[g, i] is the sum of the coefficients with index[k] = i.
 *   out   [groups, width] */
void sparse_expand(float *restrict out, const int32_t *start, const int32_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t width);

/* The reverse, added:  dot[k] += dense[g, index[k]]. */
void sparse_pick(float *restrict dot, const int32_t *start, const int32_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t width);

#endif
