/* held_out.h -- the model and the held-out text of a run: what a pass over the text needs.
 *
 * The sequences are cut into blocks of a fixed number (harvest.block); each block is computed by
 * one rank, and the sums of the blocks are added in their order (block_sum.h), so that a pass gives
 * the same bits on any number of ranks.
 */
#ifndef HELD_OUT_H
#define HELD_OUT_H

#include "base/run.h"
#include "corpus/selection.h"
#include "lm/weights.h"

struct held_out {
    struct run         *run;
    const struct suite *suite;
    struct selection    selection;
    struct weights      weights;
    int32_t            *ids;        /* [block, context] */
    struct sequence_origin *origins;    /* [block] */
    double              since;      /* when the first pass began */
    int64_t             passes;     /* that are done, ... */
    int64_t             planned;    /* ... and that there will be, for the progress line */
};

/* Open the text; refuse if the memory is not there; read the model.
 *   bytes    that this rank will allocate, all of it
 *   purpose  of them, for the refusal
 * held_out_close() is due after a failure, too; it accepts an empty one.  Suite must stay.
 * Collective.  As selection_of_evaluate(), memory_check(), weights_read(). */
enum status held_out_open(struct held_out *text, struct run *run, const struct suite *suite,
                          const struct lm_config *config, enum precision precision,
                          int64_t bytes, const char *purpose);
void        held_out_close(struct held_out *text);

/* A pass over the text: what is summed over its blocks. */
struct held_out_pass {
    void   *context;
    int64_t count;          /* of sums */
    /* Add what a block says to its sums [count], which are 0.  Local. */
    enum status (*add_block)(void *context, const int32_t *ids, int64_t sequences, double *sums);
};

/* Make a pass.
 *   total [count]  out, on every rank
 * Collective.  What add_block() refuses; E_IO, E_FORMAT; E_STOPPED after a signal. */
enum status held_out_sum(struct held_out *text, const struct held_out_pass *pass, double *total);

#endif
