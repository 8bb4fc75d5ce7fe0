#include "kernels/sparse.h"

void sparse_expand(float *restrict dense, const int32_t *start, const int32_t *end,
                   const int32_t *index, const float *coefficient, int64_t groups,
                   int64_t first, int64_t width)
{
    for (int64_t g = 0; g < groups; g++)
        for (int32_t k = start[g]; k < end[g]; k++)
            dense[g * width + index[k] - first] += coefficient[k];
}

void sparse_pick(float *restrict coefficient, const int32_t *start, const int32_t *end,
                 const int32_t *index, const float *dense, int64_t groups, int64_t first,
                 int64_t width)
{
    for (int64_t g = 0; g < groups; g++)
        for (int32_t k = start[g]; k < end[g]; k++)
            coefficient[k] = dense[g * width + index[k] - first];
}
