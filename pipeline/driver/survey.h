/* survey.h -- what becomes of every task of a suite, right now.
 *
 * Four witnesses are asked, each about what it alone knows: the files, which say what is done;
 * the locks, which say what is at work on a disk that has locks; Slurm's queue; and the
 * records of earlier attempts.  So the answer is right during a run, after a crash, and
 * whoever started the tasks.
 */
#ifndef SURVEY_H
#define SURVEY_H

#include "driver/queue.h"
#include "driver/state.h"

#include <stdio.h>

enum task_state {
    TASK_MISSING,       /* nobody is at it */
    TASK_WAITING,       /* in the queue, or a later one of a `saemill run` that goes on */
    TASK_RUNNING,
    TASK_FAILED,        /* its last attempt did not end well, and nobody is at it again */
    TASK_DONE,
    TASK_STATES
};

/* "missing", "waiting", "running", "failed", "done". */
const char *survey_task_state_name(enum task_state state);

struct stage_survey {
    enum task_state      *task;     /* [tasks] */
    const struct queued **queued;   /* [tasks] its place in the queue, or NULL */
    int64_t               count[TASK_STATES];
    double                rate;     /* things made a second, by when they appeared; 0: unknown */
};

struct survey {
    struct state        state;
    struct queue        queue;
    struct stage_survey stage[STAGES];
    long                holder;     /* process of a `saemill run` that goes on, or 0 */
};

/* Look around.  Local.  What inputs_check() and state_read() refuse; survey_free() is due then
 * too. */
enum status survey_make(struct survey *survey, const struct suite *suite);
void        survey_free(struct survey *survey);

/* Seconds until a stage is complete, at its rate so far; -1 if that is not known. */
double survey_left(const struct survey *survey, enum stage stage);

/* For people and, as JSON, for programs: what there is of each stage, and of each failure the
 * reason, from its log.  `path` is that of the suite file. */
void survey_print(FILE *out, const struct survey *survey, const struct suite *suite,
                  const char *path);
void survey_print_json(FILE *out, const struct survey *survey, const struct suite *suite);

#endif
