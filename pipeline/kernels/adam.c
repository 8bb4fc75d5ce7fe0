#include "kernels/adam.h"
#include "kernels/clones.h"

#include <math.h>
#include <stddef.h>

CLONES
void adam_update(float *restrict value, float *restrict mean, float *restrict square,
                 const float *restrict gradient, float along, int64_t n,
                 const struct adam *adam)
{
    const float beta1 = adam->beta1, rest1 = adam->rest1;
    const float beta2 = adam->beta2, rest2 = adam->rest2, epsilon = adam->epsilon;
    const float rate = adam->rate / adam->correct1;
    const float correct = 1 / sqrtf(adam->correct2);

    if (mean == NULL) {
        for (int64_t i = 0; i < n; i++) {
            const float g = gradient[i] - along * value[i];
            square[i] = beta2 * square[i] + rest2 * (g * g);
            value[i] -= rate * g / (sqrtf(square[i]) * correct + epsilon);
        }
    } else {
        for (int64_t i = 0; i < n; i++) {
            const float g = gradient[i] - along * value[i];
            mean[i] = beta1 * mean[i] + rest1 * g;
            square[i] = beta2 * square[i] + rest2 * (g * g);
            value[i] -= rate * mean[i] / (sqrtf(square[i]) * correct + epsilon);
        }
    }
}

void adam_rows(float *restrict value, float *restrict mean, float *restrict square, int64_t ld,
               const float *restrict gradient, int64_t ld_gradient, const double *along,
               int64_t rows, int64_t columns, const struct adam *adam)
{
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * ld, next = row + 1 < rows ? at + ld : at;

        for (int64_t j = 0; j < columns; j += LANES) {
            __builtin_prefetch(value + next + j, 1);
            __builtin_prefetch(square + next + j, 1);
        }
        adam_update(value + at, mean != NULL ? mean + at : NULL, square + at,
                    gradient + row * ld_gradient, along != NULL ? (float)along[row] : 0, columns,
                    adam);
    }
}
