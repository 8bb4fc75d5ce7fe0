#include "kernels/affine.h"
#include "kernels/clones.h"

#include <string.h>

CLONES void affine_apply(double *restrict y, const double *restrict weight,
                         const double *restrict bias, const double *restrict x, int64_t outputs,
                         int64_t inputs)
{
    for (int64_t o = 0; o < outputs; o++) {
        const double *row = weight + o * inputs;
        double lane[8] = {0};       /* eight sums, so that the compiler can vectorise */
        int64_t i = 0;

        for (; i + 8 <= inputs; i += 8)
            for (int j = 0; j < 8; j++)
                lane[j] += row[i + j] * x[i + j];
        for (; i < inputs; i++)
            lane[i % 8] += row[i] * x[i];
        y[o] = bias[o] + (((lane[0] + lane[1]) + (lane[2] + lane[3]))
                          + ((lane[4] + lane[5]) + (lane[6] + lane[7])));
    }
}

CLONES void affine_apply_back(double *restrict x, const double *restrict weight,
                              const double *restrict y, int64_t outputs, int64_t inputs)
{
    memset(x, 0, (size_t)inputs * sizeof *x);
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < inputs; i++)
            x[i] += y[o] * weight[o * inputs + i];
}
