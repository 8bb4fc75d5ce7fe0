/* task.h -- one task of one stage inside a Slurm job, from its start to its requeueing. */
#ifndef TASK_H
#define TASK_H

#include "driver/launch.h"
#include "suite/stages.h"

/* Do task number `first` + SLURM_ARRAY_TASK_ID with the ranks and threads that the job was
 * given, and keep a record of it (record.h).  If the job's time is soon over (SIGUSR1) the
 * ranks write their checkpoints and the job is requeued; one that has made no progress in two
 * attempts fails instead.  `path` is that of the suite file.
 * Local.  What the stage refuses; E_STOPPED after a signal; E_USAGE outside of a Slurm job, for
 * a task at which somebody else is at work, and for lack of progress. */
enum status task_run(const struct suite *suite, const char *path, enum stage stage,
                     int64_t first, enum starter starter);

#endif
