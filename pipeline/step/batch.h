/* batch.h -- the rows of a step, the same on every rank. */
#ifndef BATCH_H
#define BATCH_H

#include "step/packed_rows.h"
#include "step/training.h"

enum { ROW_BLOCK = 128 };       /* rows that are worked on at a time, on any number of ranks */

/* Normalised rows. */
struct batch {
    int64_t                   rows;
    const struct packed_rows *x;        /* [rows, inputs] */
    const struct packed_rows *target;   /* [rows, outputs]; x itself but for transcoders */
};

/* x as the encoder sees it.  Local. */
static inline struct packed_rows batch_encoder_input(const struct batch *batch,
                                                     const struct training *training)
{
    struct packed_rows input = *batch->x;

    input.centre = training->centred ? training->tensors[DECODER_BIAS].value : NULL;
    return input;
}

#endif
