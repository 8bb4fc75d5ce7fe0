/* encode.h -- from a batch to its sparse codes, on every rank. */
#ifndef ENCODE_H
#define ENCODE_H

#include "step/workspace.h"

/* x as the encoder sees it.  Local. */
struct packed_rows encoder_input(const struct training *training,
                                 const struct workspace *workspace);

/* List the entries of the latents whose turn it is: fills own, rows and cuts.  The dense
 * pre-activations of the batch never exist: they are scanned tile by tile.
 * Collective: the lists are gathered, 8 bytes an entry. */
void encode_turn(const struct training *training, struct workspace *workspace);

/* The bar (training.h) of a batch of which nothing is known, a row's norm; and what comes after one
 * that was too high.  From above, and by small steps, so that of a first batch little more than
 * what stays is ever listed, for a few dozen products. */
static const float FIRST_BAR = 1;

static inline float next_bar(float bar)
{
    return bar > 1e-3f ? 0.9f * bar : 0;
}

#endif
