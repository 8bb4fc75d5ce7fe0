/* figures.h -- the figures of the report: each has one legend and several panels (plot.h).
 *
 * Unless `drawn`, no training log is read, and PLOT_UNDRAWN takes the place of each plot.
 */
#ifndef FIGURES_H
#define FIGURES_H

#include "release/entries.h"

#include <stdio.h>

/* Draw the fidelity of a site's autoencoders: FVU, added loss and unused latents against L0.  A
 * layer has a colour, a width has a line.
 *   entries  those of one site, in the order of entries_read() */
enum status figures_fidelity(FILE *out, const struct entry *entries, int count, bool drawn);

/* Draw the training of a tap's autoencoders (loss, FVU, L0 and dead latents against tokens), how
 * often their latents fire, and their FVU by position.
 *   entries  those of one tap */
enum status figures_tap(FILE *out, const struct suite *suite, const struct entry *entries,
                        int count, bool drawn);

#endif
