#include "kernels/sparse.h"

#include <string.h>

void sparse_expand(float *restrict out, const int32_t *start, const int32_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t width)
{
    memset(out, 0, (size_t)(groups * width) * sizeof *out);
    for (int64_t g = 0; g < groups; g++)
        for (int32_t k = start[g]; k < end[g]; k++)
            out[g * width + index[k]] += coefficient[k];
}

void sparse_pick(float *restrict dot, const int32_t *start, const int32_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t width)
{
    for (int64_t g = 0; g < groups; g++)
        for (int32_t k = start[g]; k < end[g]; k++)
            dot[k] += dense[g * width + index[k]];
}
