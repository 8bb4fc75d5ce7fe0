#include "kernels/square.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/product.h"

#include <assert.h>
#include <string.h>

void square_make(struct square *square, enum precision precision)
{
    *square = (struct square){ .precision = precision };
    if (precision == PRECISION_BF16)
        square->product = product_make(SIDE, SIDE, SIDE, true);
    assert(square->product == NULL || product_bytes(square->product) <= square_bytes(precision));
}

void square_free(struct square *square)
{
    product_free(square->product);
    *square = (struct square){0};
}

int64_t square_bytes(enum precision precision)
{
    return SQUARE * (precision == PRECISION_BF16 ? 2 : 4);
}

/* Copy a block that may be smaller, and pad it with zeros. */
static void fill(float *whole, const float *x, int64_t ld, int64_t rows, int64_t columns)
{
    memset(whole, 0, SQUARE * sizeof *whole);
    for (int64_t row = 0; row < rows; row++)
        memcpy(whole + row * SIDE, x + row * ld, (size_t)columns * sizeof *whole);
}

void square_left(const struct square *square, void *a, const float *x, int64_t ld, int64_t rows,
                 int64_t columns)
{
    float whole[SQUARE];

    if (square->precision == PRECISION_F32) {
        fill(a, x, ld, rows, columns);
        return;
    }
    fill(whole, x, ld, rows, columns);
    bf16_from_float(a, whole, SQUARE);
}

void square_right(const struct square *square, void *b, const float *x, int64_t ld, int64_t rows,
                  int64_t columns)
{
    float whole[SQUARE];

    if (square->precision == PRECISION_F32) {
        fill(b, x, ld, rows, columns);
        return;
    }
    if (rows < SIDE || columns < SIDE) {
        fill(whole, x, ld, rows, columns);
        x = whole;
        ld = SIDE;
    }
    product_pack(square->product, b, x, PRECISION_F32, 1, ld);
}

void square_right_transposed(const struct square *square, void *b, const float *x, int64_t ld,
                             int64_t rows, int64_t columns)
{
    float whole[SQUARE], *transposed = b;

    if (rows < SIDE || columns < SIDE || square->precision == PRECISION_F32) {
        fill(whole, x, ld, rows, columns);
        x = whole;
        ld = SIDE;
    }
    if (square->precision == PRECISION_BF16) {
        product_pack(square->product, b, x, PRECISION_F32, ld, 1);
        return;
    }
    for (int64_t row = 0; row < SIDE; row++)
        for (int64_t column = 0; column < SIDE; column++)
            transposed[column * SIDE + row] = whole[row * SIDE + column];
}

void square_add(const struct square *square, float *y, const void *a, const void *b)
{
    if (square->precision == PRECISION_BF16)
        product_run(square->product, y, a, b);
    else
        gemm_nn(y, SIDE, a, SIDE, b, SIDE, SIDE, SIDE, SIDE, true);
}
