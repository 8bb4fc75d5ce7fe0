/* encode.h -- from the rows of a batch to the lists of their entries, on every rank. */
#ifndef ENCODE_H
#define ENCODE_H

#include "step/criteria.h"
#include "step/encoder.h"
#include "step/step_scratch.h"

/* List the entries of a batch among the latents of a pass.  The dense pre-activations of the batch
 * never exist: they are scanned tile by tile.
 *   criteria   out
 *   lists      out
 * Collective: the lists are gathered, 8 bytes an entry. */
void encode(const struct training *training, const struct batch *batch, struct pass pass,
            struct encoder *encoder, struct step_scratch *scratch, struct criteria *criteria,
            struct lists *lists);

struct scratch_size encode_scratch(const struct step_sizes *sizes);

#endif
