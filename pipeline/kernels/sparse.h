/* sparse.h -- sparse codes as dense matrices, and back.
 *
 * Group g of a list (codes.h) has the entries start[g] <= k < end[g], each with an index and a
 * coefficient.  Dense matrices are row-major.  Dense products (square.h) are faster while many
 * latents are active; otherwise those of slice.h are.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include <stdint.h>

/* Add the list to a dense matrix:  dense[g, index[k] - first] += coefficient[k].
 *   dense   [groups, width] */
void sparse_expand(float *restrict dense, const int32_t *start, const int32_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t first, int64_t width);

/* The reverse:  coefficient[k] = dense[g, index[k] - first]. */
void sparse_pick(float *restrict coefficient, const int32_t *start, const int32_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t first,
                 int64_t width);

#endif
