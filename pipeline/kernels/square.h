/* square.h -- sums of products of square blocks of matrices, in either precision.
 *
 *   y += a b       each [SIDE, SIDE]
 *
 * Larger matrices are divided into such blocks, which are padded with zeros at the edges.  So there
 * is one shape of product, which oneDNN compiles once for bf16; float32 uses BLAS.  The bits depend
 * only on the blocks and their order.  Three blocks are small enough for a core's cache, and large
 * enough for nine tenths of its speed.
 */
#ifndef SQUARE_H
#define SQUARE_H

#include "kernels/precision.h"

#include <stdint.h>

enum { SIDE = 128, SQUARE = SIDE * SIDE };

/* Several threads may use the same one at the same time.  square_free() accepts an empty one. */
struct square {
    enum precision  precision;
    struct product *product;    /* NULL for float32 */
};

void square_make(struct square *square, enum precision precision);
void square_free(struct square *square);

/* Bytes of an operand, aligned to 64. */
int64_t square_bytes(enum precision precision);

/* Make the operand a, or b, from x.
 *   x   [rows, columns]   in, rows `ld` values apart; at most SIDE rows and columns */
void square_left(const struct square *square, void *a, const float *x, int64_t ld, int64_t rows,
                 int64_t columns);
void square_right(const struct square *square, void *b, const float *x, int64_t ld, int64_t rows,
                  int64_t columns);

/* Make the operand b from x^T. */
void square_right_transposed(const struct square *square, void *b, const float *x, int64_t ld,
                             int64_t rows, int64_t columns);

/* y += a b; y is aligned to 64. */
void square_add(const struct square *square, float *y, const void *a, const void *b);

#endif
