/* queue.h -- which tasks of a suite Slurm has in its queue.
 *
 * A job carries its stage in its name, NAME.STAGE, and in its comment the run folder and the
 * number of its first task: so the queue itself says what belongs to a suite, and nothing
 * needs to be remembered.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "base/file.h"
#include "suite/stages.h"

#include <stdint.h>

struct queued {
    enum stage stage;
    int64_t    task;
    bool       running;
    char       job[32];     /* the array's number */
    char       index[16];   /* in the array */
    char       reason[64];  /* why it waits, in Slurm's words: "Dependency" */
};

struct queue {
    struct queued *jobs;
    int64_t        count;
    bool           silent;  /* Slurm is installed but does not answer */
};

/* Ask Slurm.  Where there is no Slurm the queue is empty.  Local. */
void queue_read(struct queue *queue, const struct suite *suite);
void        queue_free(struct queue *queue);

/* The comment of a job whose index 0 is task `first`; the absolute path of a run folder. */
void queue_comment(char comment[PATH_LENGTH], const struct suite *suite, int64_t first);

#endif
