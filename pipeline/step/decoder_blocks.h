/* decoder_blocks.h -- go through the decoder's columns, a slice (slice.h) at a time. */
#ifndef DECODER_BLOCKS_H
#define DECODER_BLOCKS_H

#include "step/pass.h"
#include "step/step_memory.h"
#include "step/step_scratch.h"

/* Work on a block of rows and of own columns.  The slice of the decoder rows of the pass is in the
 * shared scratch, a row for each latent. */
typedef void decoder_blocks_work(const void *context, struct range rows, struct range columns);

/* Call work() on all blocks of some rows.  The next slice begins when all rows have met the one
 * before, which stays in cache so long.  Local; work() is called by all threads. */
void decoder_blocks_visit(const struct training *training, struct pass pass,
                          struct step_scratch *scratch, struct range rows,
                          decoder_blocks_work *work, const void *context);

/* Shared scratch that a slice takes. */
struct scratch_size decoder_blocks_scratch(const struct step_sizes *sizes);

/* Columns of the widest slice of the decoder or of a batch. */
int64_t decoder_blocks_widest(const struct step_sizes *sizes);

#endif
