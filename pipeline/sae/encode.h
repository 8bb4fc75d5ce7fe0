/* encode.h -- from a batch to its sparse codes, on every rank. */
#ifndef ENCODE_H
#define ENCODE_H

#include "sae/workspace.h"

/* Get the rows of a batch ready: fills input and rounded of the workspace.
 *   x   [batch, inputs], the same on every rank; must stay while the step lasts
 * Local. */
void encode_rows(const struct training *training, struct workspace *workspace, const float *x);

/* List the entries of the latents whose turn it is: fills own, rows and cuts.  The dense
 * pre-activations of the batch never exist: they are scanned tile by tile.
 * Collective: the lists are gathered, 8 bytes an entry. */
void encode_turn(const struct training *training, struct workspace *workspace);

#endif
