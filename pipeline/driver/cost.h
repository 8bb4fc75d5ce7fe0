/* cost.h -- the work of a suite, stage by stage, in units that no machine and no
 * implementation changes: tokens, rows, bytes, flops.
 */
#ifndef COST_H
#define COST_H

#include "driver/rates.h"
#include "lm/config.h"

struct cost {
    int64_t saes, streams;  /* that autoencoders read */
    double  raw;            /* bytes of all streams' rows, not compressed, as they are stored */
    struct stage_amounts amounts;
    struct stage_cost stage[STAGES];
};

/* Count.  Local.  What tasks_make() refuses; E_USAGE if the number of tokens can be known
 * neither from the suite nor from the corpus. */
enum status cost_of(struct cost *cost, const struct suite *suite, const struct lm_config *model,
                    const struct rates *rates);

#endif
