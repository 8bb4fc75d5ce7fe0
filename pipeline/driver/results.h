/* results.h -- the scores of a suite's autoencoders as a table for a terminal. */
#ifndef RESULTS_H
#define RESULTS_H

#include "suite/suite.h"

#include <stdio.h>

/* Print one line for each autoencoder, by site, layer, width and L0, but no more than fit
 * on a screen: of many, the first of each site, and where the rest is.
 * Local.  E_IO, E_USAGE (not evaluated yet), E_FORMAT. */
enum status results_print(FILE *out, const struct suite *suite);

#endif
