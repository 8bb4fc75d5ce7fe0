/* square.h -- sums of products of square blocks of matrices, in either precision.
 *
 *   y += a b       each [SIDE, SIDE]
 *
 * What is larger is cut into such blocks, those at an edge filled up with zeros.  So there is one
 * shape of product, which oneDNN compiles once for bf16; float32 goes through BLAS.  Bits depend
 * on the blocks and their order alone.  Blocks are small enough for all three of them to stay in a
 * core's cache, and large enough for it to work at nine tenths of its speed.
 */
#ifndef SQUARE_H
#define SQUARE_H

#include "kernels/precision.h"

#include <stdint.h>

enum { SIDE = 128, SQUARE = SIDE * SIDE };

/* Several threads may use one at a time; square_free() accepts an empty one. */
struct square {
    enum precision  precision;
    struct product *product;    /* NULL for float32 */
};

void square_make(struct square *square, enum precision precision);
void square_free(struct square *square);

/* Bytes of an operand, aligned to 64. */
int64_t square_bytes(enum precision precision);

/* Make the operand a, or b.
 *   x   [rows, columns]   in, `ld` from row to row; SIDE at most of each */
void square_left(const struct square *square, void *a, const float *x, int64_t ld, int64_t rows,
                 int64_t columns);
void square_right(const struct square *square, void *b, const float *x, int64_t ld, int64_t rows,
                  int64_t columns);

/* b of x^T. */
void square_right_transposed(const struct square *square, void *b, const float *x, int64_t ld,
                             int64_t rows, int64_t columns);

/* Multiply and add; y aligned to 64. */
void square_add(const struct square *square, float *y, const void *a, const void *b);

#endif
