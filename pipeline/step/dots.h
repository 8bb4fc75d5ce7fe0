/* dots.h -- dot products of residuals and decoder rows, at the entries only.
 *
 * An active entry needs the residual of its group, an auxiliary one that of the auxiliary entries.
 * Where these are not decoded they need the last group's.
 */
#ifndef DOTS_H
#define DOTS_H

#include "step/residuals.h"

/* Add to the dot products of the entries of some rows, whole blocks of rows but for the last, those
 * over the own columns, a block after the other.
 *   dots   [entries of lists]
 * Local. */
void dots_add(const struct training *training, const struct lists *lists,
              const struct residuals *residuals, struct step_scratch *scratch, struct range rows,
              float *dots);

/* Add those of one row of a block.  The decoder's slice must be in the shared scratch
 * (decoder_blocks.h).  Local, called by all threads. */
void dots_add_row(const struct training *training, const struct lists *lists,
                  const struct residuals *residuals, const struct residual_block *block,
                  const void *slice, int64_t row, float *dots);

#endif
