/* figures.h -- the diagrams of the report: each is some panels (plot.h) and one legend. */
#ifndef FIGURES_H
#define FIGURES_H

#include "release/entries.h"

#include <stdio.h>

/* How faithful the autoencoders of one site are at the sparsity they reached: FVU, and the
 * loss they cost, against L0; a colour for each layer, a line for each width.
 *   entries  those of one site, in the order of entries_read() */
enum status figures_fidelity(FILE *out, const struct entry *entries, int count);

/* How the autoencoders of one tap were trained (loss, FVU, L0, dead latents against tokens),
 * how often their latents fire, and how faithful they are at which positions.
 *   entries  those of one tap */
enum status figures_tap(FILE *out, const struct suite *suite, const struct entry *entries,
                       int count);

#endif
