/* state.h -- how far a suite is, by looking at what exists: existence means completeness.
 */
#ifndef STATE_H
#define STATE_H

#include "suite/stages.h"

#include <time.h>

struct stage_state {
    int64_t done, total;    /* things that the stage makes; total -1: known only when the stage it
                               waits for is complete */
    int64_t tasks;          /* 0 while the total is not known */
    bool   *task_done;      /* [tasks] */
    time_t  first, last;    /* when the first and the last of the done things appeared */
};

struct state {
    struct stage_state stage[STAGES];
    int64_t            leftovers;   /* files and folders NAME.part in the run folder */
};

bool state_stage_complete(const struct stage_state *state);

/* Look.  Local.  E_USAGE, E_IO, E_FORMAT if the suite does not fit its model, or its model
 * or its corpus is not there; state_free() is due then too. */
enum status state_read(struct state *state, const struct suite *suite);
void        state_free(struct state *state);

#endif
