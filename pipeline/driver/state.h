/* state.h -- how far a suite is, by looking at what exists: existence means completeness.
 */
#ifndef STATE_H
#define STATE_H

#include "suite/suite.h"

enum stage {
    STAGE_TOKENIZE,
    STAGE_HARVEST,
    STAGE_SHUFFLE,
    STAGE_TRAIN,
    STAGE_EVALUATE,
    STAGE_RELEASE,
    STAGES
};

/* "harvest", and what its tasks are: "shards". */
const char *stage_name(enum stage stage);
const char *stage_tasks(enum stage stage);

struct stage_state {
    int64_t done;
    int64_t total;      /* -1: known only when the stages before it are complete */
};

struct state {
    struct stage_state stage[STAGES];
    int64_t            leftovers;   /* files and folders NAME.part in the run folder */
};

bool stage_complete(const struct stage_state *state);

/* Look.  Local.  E_USAGE, E_IO, E_FORMAT if the suite does not fit its model, or its model
 * or its corpus is not there. */
enum status state_read(struct state *state, const struct suite *suite);

#endif
