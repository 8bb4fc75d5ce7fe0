#include "kernels/slice.h"
#include "kernels/clones.h"

#include <string.h>

enum {
    WORDS = COLUMNS / 2,        /* of a row in bf16 */
    VECTORS = COLUMNS / LANES,  /* of a row */
    AHEAD = 12,                 /* entries between a row's being asked for and being used */
};

/* Sixteen words, from any address. */
typedef uint32_t words __attribute__((vector_size(64), aligned(4), may_alias));

static const uint32_t HIGH = 0xffff0000u;

int64_t slice_bytes(enum precision precision, int64_t rows)
{
    return rows * COLUMNS * (precision == PRECISION_BF16 ? 2 : 4);
}

/* --- pack -------------------------------------------------------------------------- */

/* Rounded to nearest, ties to even, as bf16_from_float() does with what is finite. */
static inline void pack_row_bf16(uint32_t *restrict to, const float *restrict x)
{
    for (int v = 0; v < WORDS / LANES; v++) {
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
    float row[COLUMNS] = {0};

    for (int64_t r = 0; r < rows; r++) {
        const float *next = x + (r + AHEAD < rows ? r + AHEAD : r) * ld;
        for (int64_t j = 0; j < columns; j += LANES)
            __builtin_prefetch(next + j);
        if (columns < COLUMNS)
            memcpy(row, x + r * ld, (size_t)columns * sizeof *row);
        pack_row_bf16(slice + r * WORDS, columns < COLUMNS ? row : x + r * ld);
    }
}

void slice_pack(void *restrict slice, enum precision precision, const float *restrict x,
                int64_t ld, int64_t rows, int64_t columns)
{
    float *to = slice;

    if (precision == PRECISION_BF16) {
        slice_pack_bf16(slice, x, ld, rows, columns);
        return;
    }
    for (int64_t r = 0; r < rows; r++) {
        memcpy(to + r * COLUMNS, x + r * ld, (size_t)columns * sizeof *to);
        memset(to + r * COLUMNS + columns, 0, (size_t)(COLUMNS - columns) * sizeof *to);
    }
}

/* --- combine ----------------------------------------------------------------------- */

/* The loops over VECTORS unroll, and the sums stay in registers. */
CLONES
static void slice_combine_f32(float *restrict sum, const int32_t *index,
                              const float *coefficient, int64_t count, const float *slice)
{
    lanes sums[VECTORS];

    for (int v = 0; v < VECTORS; v++)
        sums[v] = LOAD(sum + v * LANES);
    for (int64_t k = 0; k < count; k++) {
        const float *row = slice + (int64_t)index[k] * COLUMNS;
        const float *next = slice + (int64_t)index[k + AHEAD < count ? k + AHEAD : k] * COLUMNS;
        for (int v = 0; v < VECTORS; v++) {
            __builtin_prefetch(next + v * LANES);
            sums[v] += coefficient[k] * LOAD(row + v * LANES);
        }
    }
    for (int v = 0; v < VECTORS; v++)
        *(lanes *)(sum + v * LANES) = sums[v];
}

CLONES
static void slice_combine_bf16(float *restrict sum, const int32_t *index,
                               const float *coefficient, int64_t count, const uint32_t *slice)
{
    lanes sums[VECTORS];

    for (int v = 0; v < VECTORS; v++)
        sums[v] = LOAD(sum + v * LANES);
    for (int64_t k = 0; k < count; k++) {
        const uint32_t *row = slice + (int64_t)index[k] * WORDS;
        const uint32_t *next = slice + (int64_t)index[k + AHEAD < count ? k + AHEAD : k] * WORDS;
        for (int v = 0; v < VECTORS; v += 2) {
            const words pair = *(const words *)(row + v / 2 * LANES);
            __builtin_prefetch(next + v / 2 * LANES);
            sums[v] += coefficient[k] * (lanes)(pair << 16);
            sums[v + 1] += coefficient[k] * (lanes)(pair & HIGH);
        }
    }
    for (int v = 0; v < VECTORS; v++)
        *(lanes *)(sum + v * LANES) = sums[v];
}

void slice_combine(float *restrict sum, const int32_t *index, const float *coefficient,
                   int64_t count, const void *slice, enum precision precision)
{
    if (precision == PRECISION_BF16)
        slice_combine_bf16(sum, index, coefficient, count, slice);
    else
        slice_combine_f32(sum, index, coefficient, count, slice);
}

/* --- dots -------------------------------------------------------------------------- */

/* Halves are added to halves: 16 lanes, 8, 4, 2, 1. */
static inline float sum_of(const lanes *v)
{
    typedef float eight __attribute__((vector_size(32)));
    typedef float four __attribute__((vector_size(16)));
    const eight a = __builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7)
                  + __builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15);
    const four b = __builtin_shufflevector(a, a, 0, 1, 2, 3)
                 + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    const four c = b + __builtin_shufflevector(b, b, 2, 3, 0, 1);

    return c[0] + c[1];
}

CLONES
static void slice_dots_f32(float *restrict dot, const int32_t *index, int64_t count,
                           const float *a, const float *slice)
{
    lanes mine[VECTORS];

    for (int v = 0; v < VECTORS; v++)
        mine[v] = LOAD(a + v * LANES);
    for (int64_t k = 0; k < count; k++) {
        const float *row = slice + (int64_t)index[k] * COLUMNS;
        lanes even = {0}, odd = {0};
        for (int v = 0; v < VECTORS; v += 2) {
            even += mine[v] * LOAD(row + v * LANES);
            odd += mine[v + 1] * LOAD(row + (v + 1) * LANES);
        }
        even += odd;
        dot[k] += sum_of(&even);
    }
}

CLONES
static void slice_dots_bf16(float *restrict dot, const int32_t *index, int64_t count,
                            const float *a, const uint32_t *slice)
{
    lanes mine[VECTORS];

    for (int v = 0; v < VECTORS; v++)
        mine[v] = LOAD(a + v * LANES);
    for (int64_t k = 0; k < count; k++) {
        const uint32_t *row = slice + (int64_t)index[k] * WORDS;
        lanes even = {0}, odd = {0};
        for (int v = 0; v < VECTORS; v += 2) {
            const words pair = *(const words *)(row + v / 2 * LANES);
            even += mine[v] * (lanes)(pair << 16);
            odd += mine[v + 1] * (lanes)(pair & HIGH);
        }
        even += odd;
        dot[k] += sum_of(&even);
    }
}

void slice_dots(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                const void *slice, enum precision precision)
{
    if (precision == PRECISION_BF16)
        slice_dots_bf16(dot, index, count, a, slice);
    else
        slice_dots_f32(dot, index, count, a, slice);
}

/* --- definitions ------------------------------------------------------------------- */

static float value_at(const void *slice, enum precision precision, int64_t row, int column)
{
    float value;

    if (precision == PRECISION_F32)
        return ((const float *)slice)[row * COLUMNS + column];
    const int v = column / LANES, lane = column % LANES;
    const uint32_t pair = ((const uint32_t *)slice)[row * WORDS + v / 2 * LANES + lane];
    const uint32_t bits = v % 2 == 0 ? pair << 16 : pair & HIGH;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void slice_combine_ref(float *restrict sum, const int32_t *index, const float *coefficient,
                       int64_t count, const void *slice, enum precision precision)
{
    for (int column = 0; column < COLUMNS; column++)
        for (int64_t k = 0; k < count; k++)
            sum[column] += coefficient[k] * value_at(slice, precision, index[k], column);
}

void slice_dots_ref(float *restrict dot, const int32_t *index, int64_t count, const float *a,
                    const void *slice, enum precision precision)
{
    for (int64_t k = 0; k < count; k++) {
        float sum = 0;

        for (int column = 0; column < COLUMNS; column++)
            sum += a[column] * value_at(slice, precision, index[k], column);
        dot[k] += sum;
    }
}
