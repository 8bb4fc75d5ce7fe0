#include "kernels/rope.h"
#include "kernels/clones.h"

#include <math.h>
#include <stddef.h>

/* Radians that pair i turns a position. */
static double frequency(const struct rope *rope, int32_t i)
{
    const double plain = 1 / pow(rope->base, 2.0 * i / rope->width);
    const double turns = rope->original * plain / (2 * acos(-1));

    if (rope->original == 0 || turns < rope->low)
        return plain / rope->factor;
    if (turns > rope->high)
        return plain;
    const double kept = (turns - rope->low) / (rope->high - rope->low);
    return (1 - kept) * plain / rope->factor + kept * plain;
}

/* Angles of `count` rows, at their positions, or at 0, 1, ... if these are NULL. */
static void set_angles(float *cosine, float *sine, const int64_t *position, int64_t count,
                       const struct rope *rope)
{
    const int32_t half = rope->width / 2;

    for (int32_t i = 0; i < half; i++) {
        const float each = (float)frequency(rope, i);
        for (int64_t t = 0; t < count; t++) {
            const float angle = (float)(position != NULL ? position[t] : t) * each;
            cosine[t * half + i] = (float)cos((double)angle);
            sine[t * half + i] = (float)sin((double)angle);
        }
    }
}

void rope_angles(float *cosine, float *sine, int64_t positions, const struct rope *rope)
{
    set_angles(cosine, sine, NULL, positions, rope);
}

void rope_angles_at(float *cosine, float *sine, const int64_t *position, int64_t rows,
                    const struct rope *rope)
{
    set_angles(cosine, sine, position, rows, rope);
}

/* `way` is 1, or -1 to rotate back. */
CLONES static void rotate_head(float *restrict x, const float *restrict cosine,
                               const float *restrict sine, int32_t half, float way)
{
    #pragma omp simd
    for (int32_t i = 0; i < half; i++) {
        const float a = x[i], b = x[half + i], turn = way * sine[i];
        x[i] = a * cosine[i] - b * turn;
        x[half + i] = b * cosine[i] + a * turn;
    }
}

static void rotate(float *x, int64_t stride, const float *cosine, const float *sine, int64_t rows,
                   int64_t context, int32_t heads, int32_t head_width, int32_t width, float way)
{
    const int32_t half = width / 2;

    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        for (int32_t h = 0; h < heads; h++)
            rotate_head(x + r * stride + h * head_width, cosine + r % context * half,
                        sine + r % context * half, half, way);
}

void rope_rotate(float *x, int64_t stride, const float *cosine, const float *sine, int64_t rows,
                 int64_t context, int32_t heads, int32_t head_width, int32_t width)
{
    rotate(x, stride, cosine, sine, rows, context, heads, head_width, width, 1);
}

void rope_rotate_back(float *x, int64_t stride, const float *cosine, const float *sine,
                      int64_t rows, int64_t context, int32_t heads, int32_t head_width,
                      int32_t width)
{
    rotate(x, stride, cosine, sine, rows, context, heads, head_width, width, -1);
}
