#include "driver/submit.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/text.h"
#include "corpus/inputs.h"
#include "corpus/selection.h"
#include "driver/command.h"
#include "driver/conditions.h"
#include "driver/environment.h"
#include "driver/sbatch.h"
#include "driver/stage.h"
#include "driver/suite_model.h"
#include "driver/survey.h"
#include "suite/ownership.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOB = 32 };              /* of a job's number, or of the variable that stands for it */

struct submission {
    struct sbatch sbatch;       /* with the suite */
    bool          dry;
    struct survey survey;
    char        (*job[STAGES])[JOB];    /* [tasks] which will do it; "" if it is done */
    int           arrays;       /* submitted so far */
    FILE         *jobs;         /* writes their numbers to `numbers`, for scancel */
    char         *numbers;
    size_t        length;
};

/* Give the command to Slurm, or print it; *job is the number of the job. */
static enum status hand_over(struct submission *s, const char *command, const char *variable,
                             char job[JOB])
{
    char *answer = NULL;
    enum status st = OK;

    if (s->dry) {
        printf("%s=$(%s)\n", variable, command);
        snprintf(job, JOB, "$%s", variable);
        return OK;
    }
    TRY(command_read(&answer, command));
    snprintf(job, JOB, "%.*s", (int)strspn(answer, "0123456789"), answer);
    REQUIRE(job[0] != '\0', E_IO, "sbatch answers '%s' instead of a job's number", answer);
    fprintf(s->jobs, " %s", job);
    fflush(s->jobs);
done:
    free(answer);
    if (st != OK && s->arrays > 0)
        printf("these jobs are submitted already:%s\n", s->numbers);
    return st;
}

/* --- dependencies ------------------------------------------------------------------ */

/* What all tasks of a stage that waits for the whole of `before` wait for: jobs of which no
 * part is done by their number alone, single tasks that were in the queue already.  Caller
 * frees. */
static char *dependency_on_all(const struct submission *s, enum stage before)
{
    const struct stage_survey *of = &s->survey.stage[before];
    char *text, last[JOB] = "";
    size_t length;
    FILE *out = text_open(&text, &length);

    for (int64_t t = 0; t < s->survey.state.stage[before].tasks; t++) {
        if (s->job[before][t][0] == '\0')
            continue;
        if (of->queued[t] != NULL)
            fprintf(out, ":%s_%s", of->queued[t]->job, of->queued[t]->index);
        else if (strcmp(last, s->job[before][t]) != 0)
            fprintf(out, ":%s", s->job[before][t]);
        snprintf(last, sizeof last, "%s", s->job[before][t]);
    }
    text_close(out);
    if (text[0] == '\0')
        return text;
    char *all;
    if (asprintf(&all, "afterok%s", text) < 0)
        die("no memory for a dependency");
    free(text);
    return all;
}

/* Does a task of this stage wait for its own stream alone? */
static bool waits_for_stream(const struct submission *s, enum stage stage)
{
    const struct stage_traits *traits = stage_traits(stage);

    return stage_row(stage)->follows == FOLLOWS_TASK
           && (traits->crosses_streams == NULL || !traits->crosses_streams(s->sbatch.suite));
}

/* What one task of a stage waits for. */
static char *dependency_of(const struct submission *s, enum stage stage, int64_t task)
{
    const enum stage after = stage_row(stage)->after;
    char *text;

    if (stage_row(stage)->follows == FOLLOWS_NONE)
        return strdup("");
    if (!waits_for_stream(s, stage))
        return dependency_on_all(s, after);
    if (s->job[after][task][0] == '\0')
        return strdup("");
    if (asprintf(&text, "aftercorr:%s", s->job[after][task]) < 0)
        die("no memory for a dependency");
    return text;
}

/* May `task` be in the array that begins with task `first`: is it in the same chunk, with the
 * same dependency? */
static bool goes_with(const struct submission *s, enum stage stage, int64_t task, int64_t first)
{
    const enum stage after = stage_row(stage)->after;

    return !waits_for_stream(s, stage) || strcmp(s->job[after][task], s->job[after][first]) == 0;
}

/* --- stages ------------------------------------------------------------------------ */

/* Submit the array that begins with task `first` of a stage; mark all of its tasks. */
static enum status submit_array(struct submission *s, enum stage stage, bool *wanted,
                                int64_t first)
{
    const int64_t tasks = s->survey.state.stage[stage].tasks;
    int64_t size = 1, count = 0;
    char variable[JOB], job[JOB];
    enum status st;

    for (int d = 0; d < s->sbatch.digits; d++)
        size *= 10;
    const struct range chunk = { first / size * size, (first / size + 1) * size };
    bool *chosen = allocate(chunk.end, sizeof *chosen);
    for (int64_t t = first; t < tasks && t < chunk.end; t++) {
        chosen[t] = wanted[t] && goes_with(s, stage, t, first);
        count += chosen[t];
    }
    char *dependency = dependency_of(s, stage, first);
    char *command = sbatch_array(&s->sbatch, stage, chosen, chunk, dependency);

    snprintf(variable, sizeof variable, "%s%d", stage_name(stage), s->arrays);
    TRY(hand_over(s, command, variable, job));
    s->arrays++;
    for (int64_t t = chunk.first; t < tasks && t < chunk.end; t++)
        if (chosen[t]) {
            snprintf(s->job[stage][t], JOB, "%s", job);
            wanted[t] = false;
        }
    if (!s->dry)
        printf("%s: %lld %s, job %s%s%s\n", stage_name(stage), (long long)count,
               stage_row(stage)->tasks, job, dependency[0] != '\0' ? ", " : "", dependency);
done:
    free(command);
    free(dependency);
    free(chosen);
    return st;
}

static enum status submit_stage(struct submission *s, enum stage stage)
{
    const struct stage_survey *of = &s->survey.stage[stage];
    const int64_t tasks = s->survey.state.stage[stage].tasks;
    bool *wanted = allocate(tasks, sizeof *wanted);
    enum status st = OK;

    s->job[stage] = allocate(tasks, sizeof *s->job[stage]);
    for (int64_t t = 0; t < tasks; t++) {
        wanted[t] = of->task[t] == TASK_MISSING || of->task[t] == TASK_FAILED;
        if (of->queued[t] != NULL)
            snprintf(s->job[stage][t], JOB, "%s", of->queued[t]->job);
    }
    for (int64_t t = 0; t < tasks; t++)
        if (wanted[t])
            TRY(submit_array(s, stage, wanted, t));
done:
    free(wanted);
    return st;
}

/* A job that submits the rest when it can be counted. */
static enum status submit_rest(struct submission *s, enum stage stage)
{
    if (s->survey.queue.rest[0] != '\0') {
        if (!s->dry)
            printf("the rest: job %s submits it, and waits already\n", s->survey.queue.rest);
        return OK;
    }
    char *dependency = dependency_on_all(s, stage_row(stage)->after), job[JOB];
    char *command = sbatch_rest(&s->sbatch, dependency);
    enum status st;

    TRY(hand_over(s, command, "rest", job));
    if (!s->dry)
        printf("the rest: when %s is done and the %s can be counted, job %s\n",
               stage_name(stage_row(stage)->after), stage_row(stage)->tasks, job);
done:
    free(dependency);
    free(command);
    return st;
}

/* --- all --------------------------------------------------------------------------- */

/* Digits of the indices that an array may have: as many as there are in every index below a
 * power of ten that MaxArraySize allows.  Then a task's number is that of its array with its
 * index after it, in the names of logs too. */
static enum status find_digits(struct submission *s)
{
    int *digits = &s->sbatch.digits;
    char *answer = NULL, *line;
    long long most = 1001;      /* Slurm's own default, where there is none to ask */
    enum status st = OK;

    if (command_exists("scontrol") && !s->survey.queue.silent)
        TRY(command_read(&answer, "timeout 20 scontrol show config"));
    line = answer != NULL ? strstr(answer, "MaxArraySize") : NULL;
    if (line != NULL)
        sscanf(line, "MaxArraySize = %lld", &most);
    for (*digits = 1; *digits < 4 && most > 10; ++*digits)
        most /= 10;
    *digits -= most < 10;
    REQUIRE(*digits > 0, E_USAGE, "this Slurm allows no job arrays of ten tasks (MaxArraySize in "
            "slurm.conf), as saemill submit needs");
done:
    free(answer);
    return st;
}

/* What must be so before anything is submitted. */
static enum status prepare(struct submission *s)
{
    char folder[PATH_LENGTH];
    ssize_t length;
    enum status st;

    length = readlink("/proc/self/exe", s->sbatch.root, sizeof s->sbatch.root - 1);
    REQUIRE(length > 0, E_IO, "cannot find the folder of this program: %s", strerror(errno));
    dirname(dirname(s->sbatch.root));
    TRY(suite_model_read(&s->sbatch.model, s->sbatch.suite));
    TRY(survey_make(&s->survey, s->sbatch.suite));
    TRY(selection_check_parts(s->sbatch.suite));
    TRY(find_digits(s));
    environment_of_submission();
    if (s->dry) {
        environment_print_submission(stdout);
        return OK;
    }
    REQUIRE(command_exists("sbatch") && !s->survey.queue.silent, E_USAGE, "there is no Slurm here "
            "(no sbatch, or it does not answer); on one machine use saemill run %s",
            s->sbatch.path);
    REQUIRE(s->survey.holder == 0, E_USAGE, "a `saemill run` (process %ld) is at work in %s; stop "
            "it first, or let it finish", s->survey.holder, s->sbatch.suite->run);
    TRY(conditions_check_programs(s->sbatch.suite));
    TRY(ownership_claim(s->sbatch.suite->run, s->sbatch.suite->text));
    TRY(inputs_keep(s->sbatch.suite));      /* or each task of the first stage would hash them */
    path_print(folder, "%s/logs", s->sbatch.suite->run);
    TRY(file_make_folder(folder));
done:
    return st;
}

static void say_end(const struct submission *s)
{
    if (s->arrays == 0 && !s->dry)
        printf("nothing to submit: all that is missing is in the queue already, or nothing is "
               "missing\n");
    else if (!s->dry)
        printf("saemill status %s shows how far it is; scancel%s stops it\n", s->sbatch.path,
               s->numbers);
}

enum status submit(const struct suite *suite, const char *path, bool dry)
{
    struct submission s = { .sbatch = { .suite = suite, .path = path }, .dry = dry };
    enum status st;

    s.jobs = text_open(&s.numbers, &s.length);
    TRY(prepare(&s));
    for (int stage = 0; stage < STAGES; stage++) {
        if (s.survey.state.stage[stage].total < 0) {
            TRY(submit_rest(&s, (enum stage)stage));
            break;
        }
        TRY(submit_stage(&s, (enum stage)stage));
    }
    say_end(&s);
done:
    for (int stage = 0; stage < STAGES; stage++)
        free(s.job[stage]);
    text_close(s.jobs);
    free(s.numbers);
    survey_free(&s.survey);
    return st;
}
