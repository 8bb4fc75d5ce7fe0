#include "kernels/slice.h"
#include "kernels/clones.h"

#include <stdbool.h>
#include <string.h>

enum {
    WORDS = COLUMNS / 2,        /* in a row of a block, in bf16 */
    VECTORS = COLUMNS / LANES,  /* in a row of a block */
    BLOCKS = SLICE_COLUMNS / COLUMNS,
    AHEAD = 12,                 /* entries by which a row is prefetched before its use */
    TOGETHER = 4,               /* dot products whose lanes are summed together */
};

/* Sixteen words, at any address. */
typedef uint32_t words __attribute__((vector_size(64), aligned(4), may_alias));

static const uint32_t HIGH = 0xffff0000u;

int64_t slice_bytes(enum precision precision, int64_t rows, int64_t columns)
{
    return rows * slice_width(columns) * (precision == PRECISION_BF16 ? 2 : 4);
}

/* --- pack -------------------------------------------------------------------------- */

/* Round to nearest, ties to even, as bf16_from_float() does for finite numbers. */
static inline void pack_row_bf16(uint32_t *restrict to, const float *restrict x, int64_t width)
{
    for (int64_t v = 0; v < width / (2 * LANES); v++) {
        words low = *(const words *)(x + 2 * v * LANES);
        words high = *(const words *)(x + (2 * v + 1) * LANES);

        low += 0x7fff + (low >> 16 & 1);
        high += 0x7fff + (high >> 16 & 1);
        *(words *)(to + v * LANES) = low >> 16 | (high & HIGH);
    }
}

CLONES
static void slice_pack_bf16(uint32_t *restrict slice, const float *restrict x, int64_t ld,
                            int64_t rows, int64_t columns)
{
    const int64_t width = slice_width(columns);
    float row[SLICE_COLUMNS] = {0};

    for (int64_t r = 0; r < rows; r++) {
        const float *next = x + (r + AHEAD < rows ? r + AHEAD : r) * ld;
        for (int64_t j = 0; j < columns; j += LANES)
            __builtin_prefetch(next + j);
        if (columns < width)
            memcpy(row, x + r * ld, (size_t)columns * sizeof *row);
        pack_row_bf16(slice + r * width / 2, columns < width ? row : x + r * ld, width);
    }
}

void slice_pack(void *restrict slice, enum precision precision, const float *restrict x,
                int64_t ld, int64_t rows, int64_t columns)
{
    const int64_t width = slice_width(columns);
    float *to = slice;

    if (precision == PRECISION_BF16) {
        slice_pack_bf16(slice, x, ld, rows, columns);
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        memcpy(to + r * width, x + r * ld, (size_t)columns * sizeof *to);
        memset(to + r * width + columns, 0, (size_t)(width - columns) * sizeof *to);
    }
}

/* --- rows of either precision ------------------------------------------------------ */

/* The start of row `index` of a slice that is `blocks` blocks wide. */
static inline const void *row_of(const void *slice, int32_t index, int blocks, bool bf16)
{
    return (const char *)slice + (int64_t)index * blocks * COLUMNS * (bf16 ? 2 : 4);
}

/* Load vectors v and v + 1 of a row; v is even. */
static inline void two_vectors(lanes two[2], const void *row, int v, bool bf16)
{
    if (bf16) {
        const words pair = *(const words *)((const uint32_t *)row + v / 2 * LANES);
        two[0] = (lanes)(pair << 16);
        two[1] = (lanes)(pair & HIGH);
    } else {
        two[0] = LOAD((const float *)row + v * LANES);
        two[1] = LOAD((const float *)row + (v + 1) * LANES);
    }
}

/* --- combine ----------------------------------------------------------------------- */

/* Inlined with constant `blocks` and `bf16`, so that the loops over vectors unroll and the sums
 * stay in registers. */
static inline __attribute__((always_inline))
void combine(float *restrict sum, const int32_t *index, const float *coefficient, int64_t count,
             const void *slice, int blocks, bool bf16)
{
    lanes sums[BLOCKS * VECTORS];

    for (int v = 0; v < blocks * VECTORS; v++)
        sums[v] = LOAD(sum + v * LANES);
    for (int64_t k = 0; k < count; k++) {
        const void *row = row_of(slice, index[k], blocks, bf16);
        const char *next = row_of(slice, index[k + AHEAD < count ? k + AHEAD : k], blocks, bf16);
        for (int v = 0; v < blocks * VECTORS; v += 2) {
            lanes two[2];
            two_vectors(two, row, v, bf16);
            for (int line = 0; line < (bf16 ? 1 : 2); line++)
                __builtin_prefetch(next + (bf16 ? v / 2 : v + line) * 64);
            sums[v] += coefficient[k] * two[0];
            sums[v + 1] += coefficient[k] * two[1];
        }
    }
    for (int v = 0; v < blocks * VECTORS; v++)
        *(lanes *)(sum + v * LANES) = sums[v];
}

CLONES
void slice_combine(float *restrict sum, const int32_t *index, const float *coefficient,
                   int64_t count, const void *slice, int64_t columns, enum precision precision)
{
    const bool wide = columns > COLUMNS;

    if (precision == PRECISION_BF16 && wide)
        combine(sum, index, coefficient, count, slice, BLOCKS, true);
    else if (precision == PRECISION_BF16)
        combine(sum, index, coefficient, count, slice, 1, true);
    else if (wide)
        combine(sum, index, coefficient, count, slice, BLOCKS, false);
    else
        combine(sum, index, coefficient, count, slice, 1, false);
}

/* --- dots -------------------------------------------------------------------------- */

typedef float eight __attribute__((vector_size(32)));
typedef float four __attribute__((vector_size(16)));

/* Add halves of the lanes to each other until 4 are left of 16. */
static inline four four_of(lanes v)
{
    const eight a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
                  + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);

    return __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
}

/* Sum the four lanes of each of four vectors: lanes 0 + 2 and 1 + 3 first, then these two. */
static inline four sums_of(const four v[TOGETHER])
{
    const four a = __builtin_shufflevector(v[0], v[1], 0, 1, 4, 5)
                 + __builtin_shufflevector(v[0], v[1], 2, 3, 6, 7);
    const four b = __builtin_shufflevector(v[2], v[3], 0, 1, 4, 5)
                 + __builtin_shufflevector(v[2], v[3], 2, 3, 6, 7);

    return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

/* The dot product with one block of a row, as four partial sums. */
static inline four dot_row(const float *a, const void *row, bool bf16)
{
    lanes even = {0}, odd = {0};

    for (int v = 0; v < VECTORS; v += 2) {
        lanes two[2];
        two_vectors(two, row, v, bf16);
        even += LOAD(a + v * LANES) * two[0];
        odd += LOAD(a + (v + 1) * LANES) * two[1];
    }
    return four_of(even + odd);
}

/* If fewer than TOGETHER entries are left, the last one is computed several times. */
static inline __attribute__((always_inline))
void dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
          const void *slice, int blocks, bool bf16)
{
    for (int64_t k = 0; k < count; k += TOGETHER)
        for (int block = 0; block < blocks; block++) {
            four parts[TOGETHER], sums;
            for (int i = 0; i < TOGETHER; i++) {
                const char *row = row_of(slice, index[k + i < count ? k + i : count - 1], blocks,
                                         bf16);
                parts[i] = dot_row(a + block * COLUMNS, row + block * COLUMNS * (bf16 ? 2 : 4),
                                   bf16);
            }
            sums = sums_of(parts);
            for (int i = 0; i < TOGETHER && k + i < count; i++)
                dot[k + i] += sums[i];
        }
}

CLONES
void slice_dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                const void *slice, int64_t columns, enum precision precision)
{
    const int blocks = (int)(slice_width(columns) / COLUMNS);

    if (precision == PRECISION_BF16)
        dots(dot, index, count, a, slice, blocks, true);
    else
        dots(dot, index, count, a, slice, blocks, false);
}

/* --- reference implementations ----------------------------------------------------- */

/* One value of a slice in either precision. */
static float value_at(const void *slice, enum precision precision, int64_t row, int64_t width,
                      int64_t column)
{
    float value;

    if (precision == PRECISION_F32)
        return ((const float *)slice)[row * width + column];
    const int64_t v = column / LANES, lane = column % LANES;
    const uint32_t pair = ((const uint32_t *)slice)[row * width / 2 + v / 2 * LANES + lane];
    const uint32_t bits = v % 2 == 0 ? pair << 16 : pair & HIGH;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void slice_combine_ref(float *restrict sum, const int32_t *index, const float *coefficient,
                       int64_t count, const void *slice, int64_t columns,
                       enum precision precision)
{
    const int64_t width = slice_width(columns);

    for (int64_t column = 0; column < width; column++)
        for (int64_t k = 0; k < count; k++)
            sum[column] += coefficient[k] * value_at(slice, precision, index[k], width, column);
}

void slice_dots_ref(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                    const void *slice, int64_t columns, enum precision precision)
{
    const int64_t width = slice_width(columns);

    for (int64_t k = 0; k < count; k++) {
        float sum = 0;

        for (int64_t column = 0; column < width; column++)
            sum += a[column] * value_at(slice, precision, index[k], width, column);
        dot[k] += sum;
    }
}
