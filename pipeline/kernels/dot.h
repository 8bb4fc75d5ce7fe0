/* dot.h -- products of bfloat16 matrices with the CPU's own dot products, on one thread.
 *
 *   C = A B      c [m, n] float32,  a [m, k] bf16,  b [k, n] bf16, packed
 *
 * For short-lived matrices of any size: nothing is compiled, and a part of a packed B can be used.
 * The instruction multiplies pairs.  So B is stored in panels of DOT_LANES columns, and a panel
 * holds, for each pair of rows, the two values of each column:
 * [n / DOT_LANES, k / 2, DOT_LANES, 2].  Sums are float32, in the order of k.
 */
#ifndef DOT_H
#define DOT_H

#include <stdbool.h>
#include <stdint.h>

enum { DOT_LANES = 16, DOT_ROWS = 8, DOT_COLUMNS = 2 * DOT_LANES };

/* Does this CPU have such dot products?  If not, dot_product() must not be called. */
bool dot_offered(void);

/* Pack all or some rows of B.
 *   packed  out: where the first row is stored in the first panel
 *   panel   distance between panels: DOT_LANES times the number of rows of all of B, which is even
 *   b       in: k rows of n values, `stride` apart; for dot_pack_transposed() n columns of k
 *           values, k even
 * The caller sets the rest to 0: columns up to a multiple of DOT_COLUMNS, rows up to an even
 * number. */
void dot_pack(uint16_t *packed, int64_t panel, const uint16_t *b, int64_t stride, int64_t k,
              int64_t n);
void dot_pack_transposed(uint16_t *packed, int64_t panel, const uint16_t *b, int64_t stride,
                         int64_t k, int64_t n);

/* Multiply: C = A B.
 *   c [m, n], a [m, k]  rows ldc and lda values apart; m is a multiple of DOT_ROWS, n of
 *                       DOT_COLUMNS, and k is even
 *   b      in: where the first row to use is stored in the first panel; `panel` as above */
void dot_product(float *c, int64_t ldc, const uint16_t *a, int64_t lda, const uint16_t *b,
                 int64_t panel, int64_t m, int64_t n, int64_t k);

#endif
