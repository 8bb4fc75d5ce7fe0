/* queue.h -- which tasks of a suite Slurm has in its queue.
 *
 * A job carries in its comment what it does, the number of its first task, and a hash of the run
 * folder's path: so the queue itself says what belongs to a suite, and nothing needs to be
 * remembered.  The path itself may hold anything, also what squeue's lines are divided by.
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
    char           rest[32];    /* the job that will submit the rest, or "" */
};

/* Ask Slurm.  Where there is no Slurm the queue is empty.  Local. */
void queue_read(struct queue *queue, const struct suite *suite);
void        queue_free(struct queue *queue);

enum { QUEUE_COMMENT = 64 };

/* The word for the job that submits the rest, in place of a stage's name. */
#define QUEUE_REST "submit"

/* The comment of a job whose index 0 is task `first` of the stage `name`.  Local. */
void queue_comment(char comment[QUEUE_COMMENT], const struct suite *suite, const char *name,
                   int64_t first);

#endif
