/* decode.h -- the decoder's two products: lists to residuals, residuals back to the entries.
 *
 * Entry by entry (slice.h), or, while many latents are active, by dense products (dense.h).
 */
#ifndef DECODE_H
#define DECODE_H

#include "step/residuals.h"

/* Add what the listed entries write.  To be called with the lists of every pass, in order; the last
 * one completes the residuals and their sums.
 *   dots   [entries of lists]  out  as decode_dots() of all rows, made while the decoder's rows are
 *                                   in cache; NULL: none.  Only with the last pass
 * Local. */
void decode(const struct training *training, const struct batch *batch, const struct lists *lists,
            struct step_scratch *scratch, struct residuals *residuals, float *dots);

/* Add to the dot products of residuals and decoder rows, at the entries of some rows, whole blocks
 * of rows but for the last, those over the own columns, a block after the other.  An active entry
 * needs the residual of its group, an auxiliary one that of the auxiliary entries, or the last
 * group's where these are not decoded.
 *   dots   [entries of lists]
 * Local. */
void decode_dots(const struct training *training, const struct lists *lists,
                 const struct residuals *residuals, struct step_scratch *scratch,
                 struct range rows, float *dots);

/* For both. */
struct scratch_size decode_scratch(const struct step_sizes *sizes);

/* Columns of the widest slice of the decoder or of a batch. */
int64_t decode_widest_slice(const struct step_sizes *sizes);

#endif
