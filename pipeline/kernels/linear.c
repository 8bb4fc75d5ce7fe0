#include "kernels/linear.h"
#include "base/minmax.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/narrow.h"
#include "kernels/product.h"

#include <assert.h>
#include <omp.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* Rows of a tile.  In bf16 the result of a tile fits into a core's own cache.  BLAS packs W again
 * for each tile, which is worth it from GEMM_ROWS rows on. */
static int64_t tile_rows(enum precision precision)
{
    return precision == PRECISION_BF16 ? LINEAR_ROWS : GEMM_ROWS;
}

bool linear_offers(enum precision precision)
{
    return precision == PRECISION_F32 || product_offered();
}

int64_t linear_input_bytes(enum precision precision)
{
    return precision == PRECISION_BF16 ? sizeof(uint16_t) : sizeof(float);
}

/* --- blocks of W --------------------------------------------------------------------- */

static int64_t blocks_of(int64_t outputs)
{
    return (outputs + LINEAR_COLUMNS - 1) / LINEAR_COLUMNS;
}

int64_t linear_blocks(const struct linear *linear)
{
    return blocks_of(linear->outputs);
}

int64_t linear_block_outputs(const struct linear *linear, int64_t block)
{
    return min_int64(LINEAR_COLUMNS, linear->outputs - block * LINEAR_COLUMNS);
}

static struct product *block_product(const struct linear *linear, int64_t block)
{
    return linear_block_outputs(linear, block) == LINEAR_COLUMNS ? linear->product : linear->rest;
}

static int64_t packed_bytes(const struct product *product)
{
    return product != NULL ? (product_bytes(product) + 63) / 64 * 64 : 0;
}

static void *block_weights(const struct linear *linear, int64_t block)
{
    const int64_t whole = linear->precision == PRECISION_BF16 ? packed_bytes(linear->product)
        : LINEAR_COLUMNS * linear->inputs * (int64_t)sizeof(float);

    return (char *)linear->weights + block * whole;
}

int64_t linear_bytes(enum precision precision, int64_t outputs, int64_t inputs)
{
    struct linear linear;
    int64_t bytes;

    if (precision == PRECISION_F32 || !product_offered())
        return outputs * inputs * linear_input_bytes(precision);
    linear_make(&linear, precision, false, outputs, inputs, NULL);
    bytes = outputs / LINEAR_COLUMNS * packed_bytes(linear.product) + packed_bytes(linear.rest);
    linear_free(&linear);
    return bytes;
}

int64_t linear_scratch(enum precision precision, int threads)
{
    return threads * tile_rows(precision) * LINEAR_COLUMNS * (int64_t)sizeof(float) + CACHE_LINE;
}

int64_t linear_tiles(enum precision precision, int64_t outputs, int64_t rows)
{
    const int64_t height = tile_rows(precision);

    return (rows + height - 1) / height * blocks_of(outputs);
}

void linear_make(struct linear *linear, enum precision precision, bool gated, int64_t outputs,
                 int64_t inputs, void *weights)
{
    *linear = (struct linear){ precision, gated, outputs, inputs, weights, NULL, NULL };
    if (precision == PRECISION_F32)
        return;
    if (outputs >= LINEAR_COLUMNS)
        linear->product = product_make(LINEAR_ROWS, LINEAR_COLUMNS, inputs, false);
    if (outputs % LINEAR_COLUMNS > 0)
        linear->rest = product_make(LINEAR_ROWS, outputs % LINEAR_COLUMNS, inputs, false);
}

void linear_free(struct linear *linear)
{
    product_free(linear->product);
    product_free(linear->rest);
    *linear = (struct linear){0};
}

void linear_pack(struct linear *linear, int64_t block, const void *rows)
{
    if (linear->precision == PRECISION_BF16)
        product_pack(block_product(linear, block), block_weights(linear, block), rows,
                     PRECISION_BF16, linear->inputs, 1);
    else
        memcpy(block_weights(linear, block), rows,
               (size_t)(linear_block_outputs(linear, block) * linear->inputs) * sizeof(float));
}

const float *linear_matrix(const struct linear *linear)
{
    assert(linear->precision == PRECISION_F32 && !linear->gated);
    return linear->weights;
}

const float *linear_row(const struct linear *linear, int64_t output)
{
    assert(linear->precision == PRECISION_F32);
    const int64_t width = linear->outputs / 2, columns = LINEAR_COLUMNS / 2;

    if (linear->gated) {
        const bool up = output >= width;
        const int64_t number = up ? output - width : output, block = number / columns;
        output = block * LINEAR_COLUMNS + number % columns
               + (up ? linear_block_outputs(linear, block) / 2 : 0);
    }
    return (const float *)linear->weights + output * linear->inputs;
}

/* --- products ------------------------------------------------------------------------ */

const void *linear_input(enum precision precision, void *rounded, const float *x, int64_t rows,
                         int64_t columns)
{
    uint16_t *to = rounded;

    if (precision == PRECISION_F32)
        return x;
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        bf16_from_float(to + r * columns, x + r * columns, columns);
    return to;
}

/* The product of a tile of x with a block of W. */
struct tile {
    int64_t from, rows;         /* of x */
    int64_t first, columns;     /* of W's outputs */
    float  *values;             /* [rows, columns], bias included */
};

static void add_bias(struct tile t, const float *bias)
{
    for (int64_t r = 0; bias != NULL && r < t.rows; r++)
        for (int64_t i = 0; i < t.columns; i++)
            t.values[r * t.columns + i] += bias[t.first + i];
}

/* Multiply a tile of x with a block of W, and add the bias. */
static void multiply(const struct linear *linear, struct tile t, const void *x,
                     const float *bias)
{
    const int64_t inputs = linear->inputs, block = t.first / LINEAR_COLUMNS;
    const void *w = block_weights(linear, block);

    if (linear->precision == PRECISION_BF16)
        product_run(block_product(linear, block), t.values,
                    (const uint16_t *)x + t.from * inputs, w);
    else
        gemm_nt(t.values, t.columns, (const float *)x + t.from * inputs, inputs, w, inputs, t.rows,
                t.columns, inputs, false);
    add_bias(t, bias);
}

/* Finish a tile: copy it into y. */
static void copy_tile(const struct linear *linear, struct tile t, void *y)
{
    float *to = (float *)y + t.from * linear->outputs + t.first;

    for (int64_t r = 0; r < t.rows; r++)
        memcpy(to + r * linear->outputs, t.values + r * t.columns,
               (size_t)t.columns * sizeof *to);
}

/* What linear_activate() makes. */
struct hidden {
    enum activation activation;
    void           *values;     /* [rows, outputs, or half of them if gated] */
};

/* Finish a tile: apply the activation or the gates, and convert it to the input of the next
 * product. */
static void activate_tile(const struct linear *linear, struct tile t, void *out)
{
    const struct hidden *hidden = out;
    const int64_t parts = linear->gated ? 2 : 1, width = linear->outputs / parts;
    const int64_t columns = t.columns / parts;
    float row[LINEAR_COLUMNS];

    for (int64_t r = 0; r < t.rows; r++) {
        const int64_t at = (t.from + r) * width + t.first / parts;
        const float *values = t.values + r * t.columns;
        if (linear->gated)
            activation_gate(hidden->activation, row, values, values + columns, columns);
        else
            activation_apply(hidden->activation, row, values, columns);
        if (linear->precision == PRECISION_BF16)
            bf16_from_float((uint16_t *)hidden->values + at, row, columns);
        else
            memcpy((float *)hidden->values + at, row, (size_t)columns * sizeof *row);
    }
}

static float *aligned(void *scratch)
{
    return (float *)(((uintptr_t)scratch + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

/* What makes something of the result of a tile. */
typedef void finish_function(const struct linear *linear, struct tile tile, void *out);

/* Multiply all tiles with all blocks, and call `finish` on each result. */
static void for_tiles(const struct linear *linear, void *out, const void *x, const float *bias,
                      int64_t rows, void *scratch, finish_function *finish)
{
    const int64_t height = tile_rows(linear->precision), blocks = linear_blocks(linear);
    const int64_t tiles = linear_tiles(linear->precision, linear->outputs, rows);
    float *values = aligned(scratch);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < tiles; i++) {
        const int64_t from = i / blocks * height, block = i % blocks;
        const struct tile tile = {
            .from = from,
            .rows = min_int64(height, rows - from),
            .first = block * LINEAR_COLUMNS,
            .columns = linear_block_outputs(linear, block),
            .values = values + omp_get_thread_num() * height * LINEAR_COLUMNS,
        };
        multiply(linear, tile, x, bias);
        finish(linear, tile, out);
    }
}

void linear_apply(const struct linear *linear, float *y, const void *x, const float *bias,
                  int64_t rows, void *scratch)
{
    for_tiles(linear, y, x, bias, rows, scratch, copy_tile);
}

void linear_activate(const struct linear *linear, enum activation activation, void *h,
                     const void *x, const float *bias, int64_t rows, void *scratch)
{
    struct hidden hidden = { activation, h };

    assert(!linear->gated || (linear->outputs % 2 == 0 && bias == NULL));
    for_tiles(linear, &hidden, x, bias, rows, scratch, activate_tile);
}

/* --- few rows ------------------------------------------------------------------------ */

/* Multiply with piece number `piece` of a block, up to NARROW_OUTPUTS outputs, or as many gates and
 * their ups.  Returns the tile, which has no columns if the block has fewer pieces. */
static struct tile multiply_piece(const struct linear *linear, const float *x, int64_t block,
                                  int64_t piece, int64_t rows, float *values)
{
    const int64_t parts = linear->gated ? 2 : 1, inputs = linear->inputs;
    const int64_t of_part = linear_block_outputs(linear, block) / parts;
    const int64_t first = min_int64(piece * NARROW_OUTPUTS, of_part);
    const int64_t columns = min_int64(NARROW_OUTPUTS, of_part - first);
    const float *w = block_weights(linear, block);

    for (int64_t part = 0; part < parts && columns > 0; part++)
        narrow_product(values + part * columns, parts * columns, x,
                       w + (part * of_part + first) * inputs, rows, columns, inputs);
    return (struct tile){ .rows = rows, .first = block * LINEAR_COLUMNS + parts * first,
                          .columns = parts * columns, .values = values };
}

static void for_pieces(const struct linear *linear, void *out, const float *x, const float *bias,
                       int64_t rows, void *scratch, finish_function *finish)
{
    const int64_t pieces = LINEAR_COLUMNS / NARROW_OUTPUTS / (linear->gated ? 2 : 1);
    float *values = aligned(scratch);

    assert(linear->precision == PRECISION_F32 && rows <= LINEAR_FEW);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < linear_blocks(linear) * pieces; i++) {
        const struct tile tile = multiply_piece(linear, x, i / pieces, i % pieces, rows,
            values + omp_get_thread_num() * tile_rows(linear->precision) * LINEAR_COLUMNS);
        add_bias(tile, bias);
        finish(linear, tile, out);
    }
}

void linear_apply_few(const struct linear *linear, float *y, const float *x, const float *bias,
                      int64_t rows, void *scratch)
{
    for_pieces(linear, y, x, bias, rows, scratch, copy_tile);
}

void linear_activate_few(const struct linear *linear, enum activation activation, float *h,
                         const float *x, const float *bias, int64_t rows, void *scratch)
{
    struct hidden hidden = { activation, h };

    for_pieces(linear, &hidden, x, bias, rows, scratch, activate_tile);
}

/* --- the way back -------------------------------------------------------------------- */

void linear_apply_back(const struct linear *linear, float *x, const float *y, int64_t stride,
                       struct range outputs, int64_t rows)
{
    const int64_t inputs = linear->inputs;
    const float *w = (const float *)linear->weights + outputs.first * inputs;

    assert(linear->precision == PRECISION_F32);
    gemm_nn(x, inputs, y, stride, w, inputs, rows, inputs, range_length(outputs), false);
}

void linear_activate_back(const struct linear *linear, enum activation activation, float *y,
                          const float *h, int64_t rows)
{
    const int64_t parts = linear->gated ? 2 : 1, width = linear->outputs / parts;
    const int64_t blocks = linear_blocks(linear);

    assert(linear->precision == PRECISION_F32);
    #pragma omp parallel for
    for (int64_t i = 0; i < rows * blocks; i++) {
        const int64_t row = i / blocks, block = i % blocks, first = block * LINEAR_COLUMNS;
        const int64_t columns = linear_block_outputs(linear, block) / parts;
        const float *gradient = h + row * width + first / parts;
        float *values = y + row * linear->outputs + first;
        if (linear->gated)
            activation_gate_back(activation, values, values + columns, gradient, columns);
        else
            activation_apply_back(activation, values, gradient, columns);
    }
}
