/* golden.h -- read data sets of golden files in unit tests, and compare with them. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "base/allocate.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Read a whole data set, which must have `count` numbers.
 *   to [count] of the type  out */
static inline void golden_read(hid_t file, const char *name, hid_t type, int64_t count, void *to)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);

    assert_int_equal(H5Sget_simple_extent_npoints(space), count);
    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0);
    H5Sclose(space);
    H5Dclose(set);
}

/* Norm of the difference over norm, against a data set of `count` numbers. */
static inline void golden_check(hid_t file, const char *name, const float *values, int64_t count,
                                double tolerance)
{
    float *expected = allocate(count, sizeof *expected);
    double difference = 0, norm = 0;

    golden_read(file, name, H5T_NATIVE_FLOAT, count, expected);
    for (int64_t i = 0; i < count; i++) {
        const double e = (double)expected[i], d = (double)values[i] - e;
        difference += d * d;
        norm += e * e;
    }
    printf("    %-16s relative error %.2g\n", name, sqrt(difference / norm));
    assert_true(sqrt(difference / norm) < tolerance);
    free(expected);
}

#endif
