/* decode.h -- the decoder's two products: codes to residuals, residuals back to codes.
 *
 * Entry by entry (slice.h), or, while many latents are active, by dense products (dense.h).
 */
#ifndef DECODE_H
#define DECODE_H

#include "step/residual.h"

/* Make the residuals (residual.h).  To be called in every turn; with the last one they are
 * complete.  Then `squares` gets the sum of squares of each block of rows and columns, and
 * `block_sums` the columns' sums of the first residual.  Where there is one turn, rank 0 begins the
 * dot products of decode_back().  Local. */
void decode(const struct training *training, struct workspace *workspace);

/* dots = residual . decoder row at every entry, over all columns, on every rank.  To be called
 * after decode().  Collective. */
void decode_back(const struct training *training, struct workspace *workspace);

/* Copy some of the own columns of the first `count` residuals, SLICE_COLUMNS of them at most, into
 * slices (slice.h), one behind the other.  Those that are not kept are made anew, with the decoder
 * as it is.  To be called after decode(), from outside of parallel regions.
 *   returns   [count][batch, columns]   in `shared`
 * Local. */
void *slice_residuals(const struct training *training, struct workspace *workspace, int count,
                      struct range columns);

#endif
