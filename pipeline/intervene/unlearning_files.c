#include "intervene/unlearning_files.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/json_file.h"
#include "intervene/unlearning.h"
#include "intervene/unlearning_page.h"
#include "intervene/unlearning_texts.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>

/* Of the controls, for SAEBench's score. */
static const double RETAINED_LEAST = 0.99;

/* --- a task -------------------------------------------------------------------------- */

static json_t *list_latents(const struct unlearning_result *result)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < result->clamp.count; i++) {
        const int32_t latent = result->clamp.latents[i];
        json_t *object = json_object();
        json_object_set_new(object, "latent", json_integer(latent));
        task_files_put(object, "forget", result->forget[latent]);
        task_files_put(object, "retain", result->retain[latent]);
        if (result->attribution != NULL)
            task_files_put(object, "attribution", result->attribution[latent]);
        json_array_append_new(list, object);
    }
    return list;
}

/* Along what the clamp changes rows. */
static void put_directions(json_t *summary, const struct unlearning_result *result)
{
    if (result->clamp.kind == CLAMP_MEAN_DIFFERENCE) {
        task_files_put(summary, "distance", result->distance);
        return;
    }
    task_files_put(summary, "threshold", result->threshold);
    json_object_set_new(summary, "latents", list_latents(result));
}

static json_t *answers_object(const struct unlearning_answers *answers)
{
    json_t *object = json_object();

    json_object_set_new(object, "asked", json_integer(answers->asked));
    json_object_set_new(object, "known", json_integer(answers->known));
    task_files_put(object, "accuracy", answers->accuracy.all);
    task_files_put(object, "accuracy_given_order", answers->accuracy.given);
    return object;
}

static json_t *loss_object(const struct unlearning_loss *texts)
{
    json_t *object = json_object();

    task_files_put(object, "loss", texts->loss);
    task_files_put(object, "loss_added", texts->loss - texts->as_it_is);
    task_files_put(object, "likelihood", exp(texts->as_it_is - texts->loss));
    return object;
}

enum status unlearning_files_write(const struct intervention *intervention, const char *name,
                                   const struct unlearning_result *result)
{
    const struct circuit task = interventions_task(intervention, name);
    json_t *summary = task_files_summary(&task);

    json_object_set_new(summary, "autoencoder", json_string(result->autoencoder));
    json_object_set_new(summary, "clamp", json_string(clamp_name(result->clamp.kind)));
    task_files_put(summary, "strength", result->clamp.strength);
    put_directions(summary, result);
    if (result->questions.asked > 0) {
        json_object_set_new(summary, "questions", answers_object(&result->questions));
        json_object_set_new(summary, "controls", answers_object(&result->controls));
    }
    json_object_set_new(summary, "forget", loss_object(&result->forget_texts));
    json_object_set_new(summary, "retain", loss_object(&result->retain_texts));
    return task_files_write(&task, name, summary);
}

/* --- the sweep ----------------------------------------------------------------------- */

/* Read the files of all tasks; *all is false if one is not there yet. */
static enum status read_tasks(const struct suite *suite, json_t **tasks, int64_t count, bool *all)
{
    char name[METHODS_NAME], path[PATH_LENGTH];
    enum status st = OK;

    *all = true;
    for (int64_t task = 0; task < count && *all; task++) {
        interventions_name(name, suite, task);
        paths_result(path, suite, name, ".json");
        *all = file_exists(path);
        if (*all)
            TRY(json_file_read_checked(&tasks[task], path));
    }
done:
    return st;
}

/* What is forgotten and what is retained of it: numbers of a task's file. */
struct measure {
    const char *forget, *retain, *member;
};

static const struct measure ACCURACY = { "questions", "controls", "accuracy" },
                            GIVEN_ORDER = { "questions", "controls", "accuracy_given_order" },
                            LIKELIHOOD = { "forget", "retain", "likelihood" };

/* The front and the score. */
static void judge(bool *on_front, double *score, json_t *const *tasks, int64_t count,
                  const struct measure *by)
{
    struct unlearning_point *points = allocate(count, sizeof *points);

    for (int64_t i = 0; i < count; i++)
        points[i] = (struct unlearning_point){
            .forget = task_files_number(tasks[i], by->forget, by->member, NULL),
            .retain = task_files_number(tasks[i], by->retain, by->member, NULL),
        };
    unlearning_front(on_front, points, count);
    *score = unlearning_score(points, count, RETAINED_LEAST);
    free(points);
}

static json_t *point_object(const json_t *task, const char *part, bool asks, bool on_front)
{
    const json_t *latents = json_object_get(task, "latents");
    json_t *object = json_object();

    json_object_set_new(object, "task", json_string(part));
    if (latents != NULL) {
        task_files_put(object, "threshold", task_files_number(task, "threshold", NULL));
        json_object_set_new(object, "latents",
                            json_integer((json_int_t)json_array_size(latents)));
    }
    task_files_put(object, "strength", task_files_number(task, "strength", NULL));
    if (asks) {
        task_files_put(object, "questions", task_files_number(task, "questions", "accuracy", NULL));
        task_files_put(object, "controls", task_files_number(task, "controls", "accuracy", NULL));
    }
    task_files_put(object, "forget", task_files_number(task, "forget", "likelihood", NULL));
    task_files_put(object, "retain", task_files_number(task, "retain", "likelihood", NULL));
    task_files_put(object, "loss_added", task_files_number(task, "retain", "loss_added", NULL));
    json_object_set_new(object, "on_front", json_boolean(on_front));
    return object;
}

/* Takes the tasks' files as they are.  Caller owns it. */
static json_t *sum_up(const struct intervention *intervention, json_t *const *tasks, int64_t count)
{
    const struct intervention_method *method = interventions_of(intervention->suite);
    const struct circuit sweep = interventions_task(intervention, method->name);
    json_t *summary = task_files_summary(&sweep), *points = json_array();
    bool *on_front = allocate(count, sizeof *on_front);
    const bool asks = unlearning_texts_asks(intervention->suite);
    char part[METHODS_NAME];
    double score;

    if (asks) {
        judge(on_front, &score, tasks, count, &GIVEN_ORDER);
        task_files_put(summary, "score_given_order", score);
    }
    judge(on_front, &score, tasks, count, asks ? &ACCURACY : &LIKELIHOOD);
    task_files_put(summary, "score", score);
    for (int64_t i = 0; i < count; i++) {
        method->part(part, intervention->suite, i);
        json_array_append_new(points, point_object(tasks[i], part, asks, on_front[i]));
    }
    json_object_set_new(summary, "points", points);
    free(on_front);
    return summary;
}

/* The page first: where there is the JSON, all is there. */
static enum status write_sweep(const struct intervention *intervention, json_t *const *tasks,
                               int64_t count)
{
    const char *name = interventions_of(intervention->suite)->name;
    const struct circuit sweep = interventions_task(intervention, name);
    json_t *summary = sum_up(intervention, tasks, count);
    enum status st;

    TRY(unlearning_page_write(intervention, summary, tasks));
    TRY(task_files_write(&sweep, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}

enum status unlearning_files_sweep(const struct intervention *intervention)
{
    const struct intervention_method *method = interventions_of(intervention->suite);
    const int64_t count = method->tasks(intervention->suite);
    json_t **tasks = allocate(count, sizeof(json_t *));
    char path[PATH_LENGTH];
    bool all;
    enum status st;

    paths_result(path, intervention->suite, method->name, ".json");
    TRY(read_tasks(intervention->suite, tasks, count, &all));
    if (all && !file_exists(path))
        TRY(write_sweep(intervention, tasks, count));
done:
    for (int64_t task = 0; task < count; task++)
        json_decref(tasks[task]);
    free(tasks);
    return st;
}
