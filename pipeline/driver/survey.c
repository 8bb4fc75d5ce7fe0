#include "driver/survey.h"
#include "base/allocate.h"
#include "corpus/inputs.h"
#include "driver/lock.h"
#include "driver/record.h"

#include <stdlib.h>

static const char *const NAMES[TASK_STATES] = {
    "missing", "waiting", "running", "failed", "done",
};

const char *survey_task_state_name(enum task_state state)
{
    return NAMES[state];
}

/* What a task that is not done is, if neither a run nor the queue knows it. */
static enum task_state left_behind(const struct suite *suite, enum stage stage, int64_t task)
{
    struct record record;

    if (!record_read(&record, suite, stage, task) || record.ending == ENDED_STOPPED)
        return TASK_MISSING;
    if (record.ending == ENDED_NOT && task != WHOLE_STAGE && lock_has_task(suite->run, stage, task))
        return TASK_RUNNING;
    return TASK_FAILED;
}

/* A `saemill run` does the tasks one after the other, so it is at the first that is missing;
 * if it is over, that is where it ended. */
static void survey_first(struct stage_survey *of, const struct suite *suite, enum stage stage,
                         int64_t tasks, const bool *recorded, bool going)
{
    int64_t first = 0;

    while (first < tasks && of->task[first] != TASK_MISSING)
        first++;
    if (first == tasks)
        return;
    if (going)
        of->task[first] = TASK_RUNNING;
    else if (recorded[tasks])
        of->task[first] = left_behind(suite, stage, WHOLE_STAGE);
    for (int64_t t = first + 1; going && t < tasks; t++)
        if (of->task[t] == TASK_MISSING)
            of->task[t] = TASK_WAITING;
}

/* One stage; *before says whether those before it are complete. */
static void survey_stage(struct survey *survey, const struct suite *suite, enum stage stage,
                         bool *before)
{
    const struct stage_state *state = &survey->state.stage[stage];
    struct stage_survey *of = &survey->stage[stage];
    bool *recorded = record_list(suite, stage, state->tasks);
    const bool going = survey->holder != 0;

    of->task = allocate(state->tasks, sizeof *of->task);
    of->queued = allocate(state->tasks, sizeof(struct queued *));
    for (int64_t j = 0; j < survey->queue.count; j++) {
        const struct queued *job = &survey->queue.jobs[j];
        if (job->stage == stage && job->task < state->tasks)
            of->queued[job->task] = job;
    }
    for (int64_t t = 0; t < state->tasks; t++)
        of->task[t] = state->task_done[t] ? TASK_DONE
                    : of->queued[t] != NULL ? of->queued[t]->running ? TASK_RUNNING : TASK_WAITING
                    : recorded[t] && !going ? left_behind(suite, stage, t) : TASK_MISSING;
    if (going && !*before) {
        for (int64_t t = 0; t < state->tasks; t++)
            of->task[t] = of->task[t] == TASK_MISSING ? TASK_WAITING : of->task[t];
    } else {
        survey_first(of, suite, stage, state->tasks, recorded, going);
    }
    *before = *before && state_stage_complete(state);
    for (int64_t t = 0; t < state->tasks; t++)
        of->count[of->task[t]]++;
    if (state->done > 1 && state->last > state->first)
        of->rate = (double)(state->done - 1) / (double)(state->last - state->first);
    free(recorded);
}

enum status survey_make(struct survey *survey, const struct suite *suite)
{
    bool before = true;
    enum status st;

    *survey = (struct survey){0};
    TRY(inputs_check(suite));
    TRY(state_read(&survey->state, suite));
    queue_read(&survey->queue, suite);
    survey->holder = lock_holder(suite->run);
    for (int s = 0; s < STAGES; s++)
        survey_stage(survey, suite, (enum stage)s, &before);
done:
    return st;
}

void survey_free(struct survey *survey)
{
    for (int s = 0; s < STAGES; s++) {
        free(survey->stage[s].task);
        free(survey->stage[s].queued);
    }
    queue_free(&survey->queue);
    state_free(&survey->state);
    *survey = (struct survey){0};
}

double survey_left(const struct survey *survey, enum stage stage)
{
    const struct stage_state *state = &survey->state.stage[stage];
    const struct stage_survey *of = &survey->stage[stage];

    if (state_stage_complete(state) || of->rate <= 0 || of->count[TASK_RUNNING] == 0)
        return -1;
    return (double)(state->total - state->done) / of->rate;
}
