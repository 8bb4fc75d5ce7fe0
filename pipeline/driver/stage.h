/* stage.h -- the stages of a run, in their order, and what their tasks are.
 */
#ifndef STAGE_H
#define STAGE_H

#include "base/refuse.h"

enum stage {
    STAGE_TOKENIZE,
    STAGE_HARVEST,
    STAGE_SHUFFLE,
    STAGE_TRAIN,
    STAGE_EVALUATE,
    STAGE_RELEASE,
    STAGES
};

/* "harvest". */
const char *stage_name(enum stage stage);

/* The reverse.  E_USAGE if there is no stage of that name.  Local. */
enum status stage_parse(enum stage *stage, const char *name);

/* What a stage makes, and what one of its tasks makes all of: "autoencoders", "streams". */
const char *stage_makes(enum stage stage);
const char *stage_tasks(enum stage stage);

/* Do the tasks of this stage belong to streams, as those of the stage before it do?  Then a
 * task waits for the task of the same number only, else for all of the stage before. */
bool stage_follows_streams(enum stage stage);

#endif
