/* cost.h -- the work of a suite, stage by stage, in units that no machine and no
 * implementation changes: tokens, rows, bytes, flops.
 */
#ifndef COST_H
#define COST_H

#include "driver/rates.h"
#include "driver/stage.h"
#include "lm/config.h"
#include "suite/tasks.h"

struct stage_cost {
    int64_t tasks;
    double  work;           /* in the unit of the stage's rate (rates.h) */
    double  longest;        /* share of it in the longest task */
    int64_t pieces;         /* equal parts of a task, each of which is one rank's; 0: many */
    double  read, written;  /* bytes on disk */
    double  left;           /* of them, bytes that stay */
    double  files;
};

struct cost {
    int64_t saes, streams;
    double  tokens;         /* fed to the model by harvest */
    double  held_out;       /* and by evaluate */
    double  rows;           /* of each stream */
    double  raw;            /* bytes of all streams' rows, not compressed, as they are stored */
    /* Bytes that exist only for a while: what a shuffle has dealt, and checkpoints. */
    struct passing { double task, all; } dealt, checkpoints;   /* of one task at most, of all */
    struct stage_cost stage[STAGES];
};

/* Count.  Local.  What tasks_make() refuses; E_USAGE if the number of tokens can be known
 * neither from the suite nor from the corpus. */
enum status cost_of(struct cost *cost, const struct suite *suite, const struct lm_config *model,
                    const struct rates *rates);

/* Flops of the forward pass of one token to the end of so many layers; of the logits. */
double cost_forward(const struct lm_config *model, const struct suite *suite, int layers);
double cost_logits(const struct lm_config *model);

#endif
