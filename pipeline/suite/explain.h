/* explain.h -- the suite file in its own words: a complete example made from the table of
 * keys, each with its default and preceded by its meaning, range and unit.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdio.h>

/* Write the example: what jobs/explained.yaml holds.  Local. */
void explain_suite(FILE *out);

#endif
