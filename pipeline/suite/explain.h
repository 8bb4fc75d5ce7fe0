/* explain.h -- a complete example of a suite file, made from the table of keys.
 *
 * Each key stands there with its meaning, default, range and unit.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdio.h>

/* Write the example: what jobs/explained.yaml holds.  Local. */
void explain_suite(FILE *out);

#endif
