#include "driver/task.h"
#include "corpus/selection.h"
#include "driver/command.h"
#include "driver/lock.h"
#include "driver/record.h"
#include "driver/stage.h"
#include "driver/state.h"
#include "driver/suite_model.h"
#include "suite/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    IDLE_MOST = 2,      /* attempts in a row without progress */
    REQUEUE_SECONDS = 120,  /* that Slurm may take to end a job that it requeues */
};

/* A number that Slurm gives its jobs; `otherwise` if it does not. */
static int64_t slurm_number(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoll(text, NULL, 10) : otherwise;
}

static void print_heading(const struct suite *suite, enum stage stage, int64_t task,
                          const struct launch *launch)
{
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    const time_t now = time(NULL);
    char date[32];

    strftime(date, sizeof date, "%F %T", localtime(&now));
    printf(LOG_HEADING "%s: %s %lld on %s, Slurm job %lld, %d rank%s of %d thread%s, %s\n",
           suite->name, stage_name(stage), (long long)task, nodes != NULL ? nodes : "?",
           (long long)slurm_number("SLURM_JOB_ID", 0), launch->ranks,
           launch->ranks == 1 ? "" : "s", launch->threads, launch->threads == 1 ? "" : "s", date);
    fflush(stdout);
}

/* Does the task exist?  Tasks may have been counted before the stage they wait for was done. */
static enum status is_there(const struct suite *suite, const struct tasks *tasks, enum stage stage,
                            int64_t task, bool *there)
{
    int64_t count;
    enum status st;

    TRY(selection_check_parts(suite));
    TRY(stage_traits(stage)->count(suite, tasks, true, &count));
    *there = task < count;
done:
    return st;
}

/* The record of the attempt that begins.  E_USAGE if those before it came to nothing. */
static enum status begin(struct record *record, const struct suite *suite,
                         const struct tasks *tasks, enum stage stage, int64_t task)
{
    const struct stage_traits *traits = stage_traits(stage);
    struct record before;
    enum status st;

    *record = (struct record){0};
    if (traits->progress != NULL && task < tasks->taps_count)
        record->progress = traits->progress(suite, tasks, task);
    if (slurm_number("SLURM_RESTART_COUNT", 0) > 0
        && record_read(&before, suite, stage, task) && record->progress <= before.progress)
        record->idle = before.idle + 1;
    if (record->idle < IDLE_MOST) {
        TRY(record_write(record, suite, stage, task));
        goto done;
    }
    record->ending = ENDED_FAILED;
    TRY(record_write(record, suite, stage, task));
    st = refuse(E_USAGE, "%s %lld made no progress in %d attempts: %lld minutes are too few for "
                "it; raise resources.time, or resources.nodes or cores%s, and submit it again",
                stage_name(stage), (long long)task, IDLE_MOST,
                (long long)suite->resources.time,
                traits->less_time);
done:
    return st;
}

/* An exit status of 0 is not enough: so srun ends, too, when it could not start the ranks. */
static enum status check_done(const struct suite *suite, enum stage stage, int64_t task)
{
    struct state state = {0};
    enum status st;

    TRY(state_read(&state, suite));
    REQUIRE(state.stage[stage].task_done[task], E_IO, "%s %lld ended well, but its work is not "
            "there; were its ranks started?  Submit it again", stage_name(stage), (long long)task);
done:
    state_free(&state);
    return st;
}

/* Put this job back into the queue, and wait for Slurm to end it. */
static enum status requeue(void)
{
    char command[64], *output = NULL;
    enum status st;

    snprintf(command, sizeof command, "scontrol requeue %lld",
             (long long)slurm_number("SLURM_JOB_ID", 0));
    st = command_read(&output, command);
    free(output);
    if (st == OK)
        sleep(REQUEUE_SECONDS);
    return st;
}

/* Note how the attempt ended.  Returns how the job is to end. */
static enum status end(struct record *record, const struct suite *suite, enum stage stage,
                       int64_t task, enum status ended)
{
    enum status st;

    if (ended == OK)
        return record_remove(suite, stage, task);
    record->ending = ended == E_STOPPED ? ENDED_STOPPED : ENDED_FAILED;
    TRY(record_write(record, suite, stage, task));
    if (ended == E_STOPPED && launch_out_of_time()) {
        printf("out of time; requeued\n");
        fflush(stdout);
        TRY(requeue());
    }
    st = ended;
done:
    return st;
}

enum status task_run(const struct suite *suite, const char *path, enum stage stage,
                     int64_t first, enum starter starter)
{
    const int64_t task = first + slurm_number("SLURM_ARRAY_TASK_ID", -1 - first);
    char program[64];
    struct launch launched = {
        .program = program, .argument = path, .one_task = true, .task = task,
        .starter = starter, .ranks = (int)slurm_number("SLURM_NTASKS", 0),
        .threads = (int)slurm_number("SLURM_CPUS_PER_TASK", 1),
    };
    struct lm_config model;
    struct tasks tasks = {0};
    struct record record;
    enum status st, ended;
    bool there;

    REQUIRE(task >= 0 && launched.ranks > 0, E_USAGE, "`saemill task` is what the batch scripts "
            "of `saemill submit` call in a Slurm job array; use saemill submit %s", path);
    snprintf(program, sizeof program, "saemill-%s", stage_name(stage));
    print_heading(suite, stage, task, &launched);
    TRY(lock_take_task(suite->run, stage, task));
    TRY(suite_model_read(&model, suite));
    TRY(tasks_make(&tasks, suite, model.layers));
    TRY(begin(&record, suite, &tasks, stage, task));
    ended = is_there(suite, &tasks, stage, task, &there);
    if (ended == OK && there)
        ended = launch(&launched);
    if (ended == OK && there)
        ended = check_done(suite, stage, task);
    else if (ended == OK)
        printf("the corpus is used up before this shard; there is nothing to do\n");
    st = end(&record, suite, stage, task, ended);
done:
    tasks_free(&tasks);
    return st;
}
