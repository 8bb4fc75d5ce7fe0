/* decode.h -- from the lists of a batch to its residuals. */
#ifndef DECODE_H
#define DECODE_H

#include "step/residuals.h"

/* Add what the listed entries write, entry by entry (slice.h), or, while many latents are active,
 * by dense products (dense.h).  To be called with the lists of every pass, in order; the last one
 * completes the residuals and their sums.
 *   dots   [entries of lists]  out  dot products of the entries over the own columns (dots.h),
 *                                   made while the decoder's rows are in cache; NULL: none.  Only
 *                                   with the last pass
 * Local. */
void decode(const struct training *training, const struct batch *batch, const struct lists *lists,
            struct step_scratch *scratch, struct residuals *residuals, float *dots);

struct scratch_size decode_scratch(const struct step_sizes *sizes);

#endif
