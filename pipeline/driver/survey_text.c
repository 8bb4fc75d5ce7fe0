#include "base/die.h"
#include "base/human.h"
#include "driver/record.h"
#include "driver/survey.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REASONS = 8,        /* failures of a stage that are shown in full */
    REASON_LINES = 2,   /* of the log of each */
};

/* Where the words about a failed task are: in its own log, or in that of a `saemill run`. */
static char *reason_of(const struct suite *suite, enum stage stage, int64_t task, int lines,
                       char path[PATH_LENGTH])
{
    struct record record;
    const int64_t whose = record_read(&record, suite, stage, task) ? task : WHOLE_STAGE;

    record_read(&record, suite, stage, whose);
    record_log_path(path, suite, stage, whose);
    char *tail = record_log_tail(suite, stage, whose, lines);
    if (record.ending == ENDED_NOT) {
        const size_t length = strlen(tail);
        tail = realloc(tail, length + 128);
        if (tail == NULL)
            die("no memory for a line of a log");
        strcpy(tail + length, "it did not come to its end: it was killed, its machine stopped, or "
               "its time was over\n");
    }
    return tail;
}

/* What a stage lacks, in the order in which it is told. */
static const enum task_state ORDER[] = {
    TASK_RUNNING, TASK_WAITING, TASK_FAILED, TASK_MISSING,
};

static void print_stage(FILE *out, const struct survey *survey, enum stage stage)
{
    const struct stage_state *state = &survey->state.stage[stage];
    const struct stage_survey *of = &survey->stage[stage];
    const double left = survey_left(survey, stage);
    const char *comma = ": ";

    fprintf(out, "  %-9s ", stage_name(stage));
    if (state->total < 0) {
        fputs("waits for the stage before it\n", out);
        return;
    }
    fprintf(out, "%5lld of %5lld %s", (long long)state->done, (long long)state->total,
            stage_row(stage)->makes);
    if (state_stage_complete(state))
        fputs(", complete", out);
    else if (state->total != state->tasks)
        fprintf(out, ", %lld of %lld %s", (long long)of->count[TASK_DONE],
                (long long)state->tasks, stage_row(stage)->tasks);
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++)
        if (of->count[ORDER[i]] > 0) {
            fprintf(out, "%s%lld %s", comma, (long long)of->count[ORDER[i]],
                    survey_task_state_name(ORDER[i]));
            comma = ", ";
        }
    if (left >= 0)
        fprintf(out, "; %.3g an hour, %s left", 3600 * of->rate, human_duration(left));
    fputc('\n', out);
}

static void print_failures(FILE *out, const struct survey *survey, const struct suite *suite,
                           enum stage stage)
{
    const struct stage_survey *of = &survey->stage[stage];
    int64_t shown = 0;
    char path[PATH_LENGTH];

    for (int64_t t = 0; t < survey->state.stage[stage].tasks && shown < REASONS; t++) {
        if (of->task[t] != TASK_FAILED)
            continue;
        char *reason = reason_of(suite, stage, t, REASON_LINES, path);
        fprintf(out, "%s %lld failed (%s):\n", stage_name(stage), (long long)t, path);
        for (char *rest = reason, *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; )
            fprintf(out, "  %s\n", line);
        free(reason);
        shown++;
    }
    if (of->count[TASK_FAILED] > shown)
        fprintf(out, "%s: %lld more failed; see %s/logs\n", stage_name(stage),
                (long long)(of->count[TASK_FAILED] - shown), suite->run);
}

/* How to go on, if nobody is at it. */
static void print_advice(FILE *out, const struct survey *survey, const struct suite *suite,
                         const char *path)
{
    bool complete = true, at_work = survey->holder != 0;

    for (int s = 0; s < STAGES; s++) {
        complete = complete && state_stage_complete(&survey->state.stage[s]);
        at_work = at_work || survey->stage[s].count[TASK_RUNNING] > 0
                  || survey->stage[s].count[TASK_WAITING] > 0;
    }
    if (complete && suite_has_stage(suite, STAGE_RELEASE))
        fprintf(out, "The release is complete.  Open %s/release/index.html\n", suite->run);
    else if (complete)
        fprintf(out, "All is complete, in %s/%s\n", suite->run,
                stage_row(stage_last(suite))->folder);
    else if (!at_work)
        fprintf(out, "To go on: saemill run %s, or on a cluster saemill submit %s\n", path, path);
    if (survey->state.leftovers > 0 && !at_work)
        fprintf(out, "Unfinished files or folders (*.part): %lld; whoever goes on uses or replaces "
                "them\n", (long long)survey->state.leftovers);
}

void survey_print(FILE *out, const struct survey *survey, const struct suite *suite,
                  const char *path)
{
    fprintf(out, "%s, in %s: ", suite->name, suite->run);
    if (survey->holder != 0)
        fprintf(out, "a run is going on (process %ld)\n", survey->holder);
    else if (survey->queue.count > 0)
        fprintf(out, "Slurm has %lld task%s\n", (long long)survey->queue.count,
                survey->queue.count == 1 ? "" : "s");
    else
        fprintf(out, "no run is going on%s\n",
                survey->queue.silent ? " here; Slurm does not answer" : "");
    for (int s = 0; s < STAGES; s++)
        if (suite_has_stage(suite, (enum stage)s))
            print_stage(out, survey, (enum stage)s);
    for (int s = 0; s < STAGES; s++)
        print_failures(out, survey, suite, (enum stage)s);
    print_advice(out, survey, suite, path);
}

/* --- JSON -------------------------------------------------------------------------- */

/* A task that is neither done nor missing. */
static json_t *task_json(const struct survey *survey, const struct suite *suite,
                         enum stage stage, int64_t task)
{
    const enum task_state state = survey->stage[stage].task[task];
    const struct queued *queued = survey->stage[stage].queued[task];
    json_t *json = json_pack("{s:I, s:s}", "task", (json_int_t)task, "state",
                             survey_task_state_name(state));
    char path[PATH_LENGTH];

    if (queued != NULL) {
        char job[64];
        snprintf(job, sizeof job, "%s_%s", queued->job, queued->index);
        json_object_set_new(json, "job", json_string(job));
        if (state == TASK_WAITING)
            json_object_set_new(json, "waits_for", json_string(queued->reason));
    }
    if (state == TASK_FAILED) {
        char *reason = reason_of(suite, stage, task, REASON_LINES, path);
        json_object_set_new(json, "reason", json_string(reason));
        json_object_set_new(json, "log", json_string(path));
        free(reason);
    }
    return json;
}

static json_t *stage_json(const struct survey *survey, const struct suite *suite,
                          enum stage stage)
{
    const struct stage_state *state = &survey->state.stage[stage];
    const struct stage_survey *of = &survey->stage[stage];
    const double left = survey_left(survey, stage);
    json_t *counts = json_object(), *tasks = json_array();

    for (int s = 0; s < TASK_STATES; s++)
        json_object_set_new(counts, survey_task_state_name((enum task_state)s),
                            json_integer(of->count[s]));
    for (int64_t t = 0; t < state->tasks; t++)
        if (of->task[t] != TASK_DONE && of->task[t] != TASK_MISSING)
            json_array_append_new(tasks, task_json(survey, suite, stage, t));
    return json_pack("{s:s, s:s, s:I, s:o, s:I, s:o, s:o, s:o, s:o}",
                     "stage", stage_name(stage), "makes", stage_row(stage)->makes,
                     "done", (json_int_t)state->done,
                     "total", state->total < 0 ? json_null() : json_integer(state->total),
                     "tasks", (json_int_t)state->tasks, "states", counts, "unfinished", tasks,
                     "per_hour", of->rate > 0 ? json_real(3600 * of->rate) : json_null(),
                     "seconds_left", left >= 0 ? json_real(left) : json_null());
}

void survey_print_json(FILE *out, const struct survey *survey, const struct suite *suite)
{
    json_t *stages = json_array();

    for (int s = 0; s < STAGES; s++)
        if (suite_has_stage(suite, (enum stage)s))
            json_array_append_new(stages, stage_json(survey, suite, (enum stage)s));
    json_t *all = json_pack("{s:s, s:s, s:b, s:I, s:I, s:o}", "name", suite->name,
                            "run", suite->run, "running", survey->holder != 0,
                            "queued", (json_int_t)survey->queue.count,
                            "leftovers", (json_int_t)survey->state.leftovers, "stages", stages);
    json_dumpf(all, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(all);
}
