/* sparse.h -- products of sparse codes with dense matrices.
 *
 * A group g of a list (codes.h) has the entries start[g] <= k < end[g], each with an index
 * and a coefficient.  All dense matrices are row-major; `ld` is the distance between rows.
 * Work goes by blocks of COLUMNS columns, so that one block of the matrix stays in cache
 * while all groups pass over it and a group's sums stay in registers.
 *
 * The functions named _ref are the definitions, slow and obvious, kept as the measure.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/slice.h"

/* Weighted sums of rows:  out[g, :] (+)= sum over k of coefficient[k] * x[index[k], :].
 * Entries are added in ascending order, whatever the columns' cut.
 *   out          [groups, columns]   the sums are added to it if `add`, else it is set
 *   coefficient  [entries]
 *   x            [above all indices, columns] */
void sparse_combine(float *restrict out, int64_t ld_out, const int64_t *start,
                    const int64_t *end, const int32_t *index, const float *coefficient,
                    const float *x, int64_t ld_x, int64_t groups, int64_t columns, bool add);
void sparse_combine_ref(float *restrict out, int64_t ld_out, const int64_t *start,
                        const int64_t *end, const int32_t *index, const float *coefficient,
                        const float *x, int64_t ld_x, int64_t groups, int64_t columns, bool add);

/* Dot products at the entries only:  dot[k] += a[g, :] . b[index[k], :].
 * The columns are taken block by block, each block's product added to dot[k] in order: the
 * result is the same if the blocks come in several calls.
 *   dot   [entries]
 *   a     [groups, columns]
 *   b     [above all indices, columns] */
void sparse_dots(float *restrict dot, const int64_t *start, const int64_t *end,
                 const int32_t *index, const float *a, int64_t ld_a, const float *b,
                 int64_t ld_b, int64_t groups, int64_t columns);
void sparse_dots_ref(float *restrict dot, const int64_t *start, const int64_t *end,
                     const int32_t *index, const float *a, int64_t ld_a, const float *b,
                     int64_t ld_b, int64_t groups, int64_t columns);

/* The list as a dense matrix: out[g, i] is the sum of the coefficients with index[k] = i.
 *   out   [groups, width] */
void sparse_expand(float *restrict out, const int64_t *start, const int64_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t width);

/* The reverse, added:  dot[k] += dense[g, index[k]]. */
void sparse_pick(float *restrict dot, const int64_t *start, const int64_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t width);

#endif
