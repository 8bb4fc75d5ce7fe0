/* curves.h -- the log of a training, averaged to the number of points that a diagram can show. */
#ifndef CURVES_H
#define CURVES_H

#include "shard/identity.h"

#include <stdint.h>

enum { CURVE_POINTS = 160 };    /* most points of a curve */

enum curve_column { CURVE_ROWS, CURVE_LOSS, CURVE_FVU, CURVE_L0, CURVE_DEAD, CURVE_COLUMNS };

struct curve {
    int64_t points;
    double  column[CURVE_COLUMNS][CURVE_POINTS];
};

/* Read a training log (FORMATS.md) and check its checksum and its identity.  Its columns rows,
 * loss, fvu, l0 and dead are found by their names in the header.  A point is the mean over some
 * consecutive steps, the same number for each point to within one; CURVE_ROWS is that of the last
 * of them.  Local.  E_IO, E_FORMAT, E_USAGE. */
enum status curves_read(struct curve *curve, const char *path, const struct identity *wanted);

#endif
