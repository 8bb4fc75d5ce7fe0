/* explain.h -- a complete example of a suite file, made from the table of keys.
 *
 * Each key stands there with its meaning, default, range and unit.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "suite/keys.h"

#include <stdio.h>

/* Write the example of a file of this kind: what jobs/explained.yaml holds, or of a task file
 * explained_KIND.yaml, such as jobs/circuits/explained_circuit.yaml.  Local. */
void explain_suite(FILE *out, enum suite_kind kind);

#endif
