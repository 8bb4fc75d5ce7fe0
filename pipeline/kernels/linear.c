#include "kernels/linear.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/product.h"

#include <string.h>

enum { TILE = 512 };    /* rows of a bf16 product; enough for full speed */

bool linear_offers(enum precision precision)
{
    return precision == PRECISION_F32 || product_offered();
}

int64_t linear_bytes(enum precision precision, int64_t outputs, int64_t inputs)
{
    struct product *product;
    int64_t bytes;

    if (precision == PRECISION_F32)
        return outputs * inputs * (int64_t)sizeof(float);
    product = product_make(TILE, outputs, inputs);
    bytes = product_bytes(product);
    product_free(product);
    return bytes;
}

int64_t linear_scratch(enum precision precision, int64_t outputs, int64_t inputs)
{
    return precision == PRECISION_F32 ? 0
        : TILE * (outputs * (int64_t)sizeof(float) + inputs * (int64_t)sizeof(uint16_t));
}

void linear_make(struct linear *linear, enum precision precision, int64_t outputs,
                 int64_t inputs, void *room)
{
    *linear = (struct linear){ precision, outputs, inputs, room, NULL };
    if (precision == PRECISION_BF16)
        linear->product = product_make(TILE, outputs, inputs);
}

void linear_free(struct linear *linear)
{
    if (linear->product != NULL)
        product_free(linear->product);
    *linear = (struct linear){0};
}

/* Rows of floats to bf16, by all threads. */
static void round_rows(uint16_t *to, const float *from, int64_t rows, int64_t columns)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        bf16_from_float(to + r * columns, from + r * columns, columns);
}

void linear_pack(struct linear *linear, const float *weights, uint16_t *scratch)
{
    if (linear->precision == PRECISION_F32) {
        memcpy(linear->weights, weights,
               (size_t)(linear->outputs * linear->inputs) * sizeof *weights);
        return;
    }
    round_rows(scratch, weights, linear->outputs, linear->inputs);
    product_pack(linear->product, linear->weights, scratch);
}

/* Tile by tile; a short last one is multiplied as a whole tile, of which a part is kept. */
static void apply_bf16(const struct linear *linear, float *y, const float *x, int64_t rows,
                       void *scratch)
{
    const int64_t outputs = linear->outputs, inputs = linear->inputs;
    float *short_tile = scratch;
    uint16_t *rounded = (uint16_t *)(short_tile + TILE * outputs);

    for (int64_t from = 0; from < rows; from += TILE) {
        const int64_t n = rows - from < TILE ? rows - from : TILE;
        float *to = n == TILE ? y + from * outputs : short_tile;

        round_rows(rounded, x + from * inputs, n, inputs);
        product_run(linear->product, to, rounded, linear->weights);
        if (n < TILE)
            memcpy(y + from * outputs, to, (size_t)(n * outputs) * sizeof *y);
    }
}

void linear_apply(const struct linear *linear, float *y, const float *x, int64_t rows,
                  void *scratch)
{
    if (linear->precision == PRECISION_BF16)
        apply_bf16(linear, y, x, rows, scratch);
    else
        gemm_nt(y, linear->outputs, x, linear->inputs, linear->weights, linear->inputs, rows,
                linear->outputs, linear->inputs, false);
}
