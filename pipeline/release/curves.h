/* curves.h -- the log of a training, thinned out to what a diagram can show. */
#ifndef CURVES_H
#define CURVES_H

#include "base/refuse.h"

#include <stdint.h>

enum { CURVE_POINTS = 160 };    /* at most */

enum curve_column { CURVE_ROWS, CURVE_LOSS, CURVE_FVU, CURVE_L0, CURVE_DEAD, CURVE_COLUMNS };

struct curve {
    int64_t points;
    double  column[CURVE_COLUMNS][CURVE_POINTS];
};

/* Read a log of train: a header line, then one line a step, columns separated by tabs and
 * found by their names in the header: rows, loss, fvu, l0, dead.  A point is the mean over
 * equally many consecutive steps; CURVE_ROWS is that of the last of them.
 * Local.  E_IO, E_FORMAT. */
enum status curves_read(struct curve *curve, const char *path);

#endif
