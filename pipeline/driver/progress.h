/* progress.h -- how much of one task is on disk, complete or to be gone on from.
 *
 * A task that was stopped at its time limit is only worth starting again if it then gets
 * further.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "driver/stage.h"
#include "suite/tasks.h"

/* A number that grows whenever what another attempt would go on from grows: steps that are
 * in checkpoints, files of a shuffle under way, scores.  Local. */
int64_t progress_of(const struct suite *suite, const struct tasks *tasks, enum stage stage,
                    int64_t task);

#endif
