/* inversion_drawings.h -- an inversion as drawings: its way down, and what it came to.  Local. */
#ifndef INVERSION_DRAWINGS_H
#define INVERSION_DRAWINGS_H

#include "invert/restarts.h"

#include <stdio.h>

/* Write a <figure> with the loss by step, a line for each search, the best one's stronger.  The
 * loss is on a logarithmic scale; points whose loss is not above 0, or not finite, are left out. */
void inversion_drawings_losses(FILE *out, const struct restarts *restarts, int64_t steps);

/* Write a <figure> with the values seen and those explained, a point each, of 1000 at most.
 *   seen, explained  [count]  in */
void inversion_drawings_values(FILE *out, const double *seen, const double *explained,
                               int32_t count);

#endif
