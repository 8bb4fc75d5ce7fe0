/* ownership.h -- a run folder belongs to one suite.
 *
 * "Existence means completeness" holds for the suite that made what exists.  So the folder
 * keeps the effective suite, RUN/suite.yaml, and a suite that says something else is
 * refused as long as there is anything that would have come out differently.
 */
#ifndef OWNERSHIP_H
#define OWNERSHIP_H

#include "suite/suite.h"

/* Make the run folder this suite's, or refuse.  What does not change results may change
 * (schema.h, `technical`), and groups of autoencoders may be added behind the others.
 * Local; one process of a run calls it.  E_USAGE names the value and what was made with it;
 * E_IO, E_SPACE. */
enum status ownership_claim(const struct suite *suite);

#endif
