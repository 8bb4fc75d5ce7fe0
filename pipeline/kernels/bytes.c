#include "kernels/bytes.h"
#include "kernels/clones.h"

/* Values usually have 2 bytes; for a constant size the compiler vectorises the loops. */

CLONES static void bytes_apart_by_two(uint8_t *restrict low, uint8_t *restrict high,
                                      const uint8_t *restrict numbers, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        low[i] = numbers[2 * i];
        high[i] = numbers[2 * i + 1];
    }
}

CLONES static void bytes_together_by_two(uint8_t *restrict numbers, const uint8_t *restrict low,
                                         const uint8_t *restrict high, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        numbers[2 * i] = low[i];
        numbers[2 * i + 1] = high[i];
    }
}

void bytes_apart(uint8_t *restrict planes, int64_t stride, const void *restrict numbers,
                 int64_t count, int size)
{
    const uint8_t *in = numbers;

    if (size == 2) {
        bytes_apart_by_two(planes, planes + stride, in, count);
        return;
    }
    for (int b = 0; b < size; b++)
        for (int64_t i = 0; i < count; i++)
            planes[b * stride + i] = in[i * size + b];
}

void bytes_together(void *restrict numbers, const uint8_t *restrict planes, int64_t stride,
                    int64_t count, int size)
{
    uint8_t *out = numbers;

    if (size == 2) {
        bytes_together_by_two(out, planes, planes + stride, count);
        return;
    }
    for (int b = 0; b < size; b++)
        for (int64_t i = 0; i < count; i++)
            out[i * size + b] = planes[b * stride + i];
}
