/* synthetic.h -- rows for tests of training: sums of a few of 40 fixed directions. */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include "base/random.h"

#include <string.h>

/* Rows first, ..., first + rows of an endless stream, of norm about 1.
 *   x   [rows, width]   out */
static inline void synthetic_rows(float *x, int64_t first, int64_t rows, int64_t width)
{
    memset(x, 0, (size_t)(rows * width) * sizeof *x);
    for (int64_t row = 0; row < rows; row++)
        for (int part = 0; part < 4; part++) {
            const uint64_t place = (uint64_t)((first + row) * 4 + part);
            const int64_t direction = (int64_t)(40 * random_uniform(1, 1, place));
            for (int64_t j = 0; j < width; j++)
                x[row * width + j] +=
                    0.1f * (random_uniform(2, 2, (uint64_t)(direction * width + j)) - 0.5f);
        }
}

#endif
