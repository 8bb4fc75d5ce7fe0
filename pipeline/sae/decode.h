/* decode.h -- the decoder's two products: codes to residuals, residuals back to codes.
 *
 * While many latents are active the lists are spread out into dense matrices, a block of
 * rows at a time, and go through BLAS; below DENSE_ABOVE the sparse kernels are faster.
 */
#ifndef DECODE_H
#define DECODE_H

#include "sae/workspace.h"

/* The share of active entries above which dense products are used.  Decided by the previous
 * batch's share, never by timing, so that it is the same on every rank, in every run. */
static const double DENSE_ABOVE = 0.12;

/* residual = f W_dec + b_dec - x for the own columns; `squares` gets the sum of squares of
 * each block of rows and columns.  Local. */
void decode(const struct training *training, struct workspace *workspace);

/* dots = residual . decoder row at every entry, over all columns, on every rank.
 * Collective. */
void decode_back(const struct training *training, struct workspace *workspace);

#endif
