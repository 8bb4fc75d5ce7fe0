/* encode.h -- from a batch to its sparse codes, on every rank. */
#ifndef ENCODE_H
#define ENCODE_H

#include "sae/workspace.h"

/* Encode a batch: fills input, own, rows, cuts and fired of the workspace.
 *   x   [batch, inputs], the same on every rank; must stay while the step lasts
 * The dense pre-activations of the batch never exist: they are scanned tile by tile.
 * Collective: the lists are gathered, 8 bytes an entry. */
void encode(const struct training *training, struct workspace *workspace, const float *x);

#endif
