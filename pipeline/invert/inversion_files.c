#include "invert/inversion_files.h"
#include "base/file.h"
#include "base/json_file.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>

static const char SUMMARY[] = "inversions";

void inversion_files_name(char name[METHODS_NAME], int64_t task)
{
    snprintf(name, METHODS_NAME, "inversion-%05lld", (long long)task);
}

/* --- a task -------------------------------------------------------------------------- */

static json_t *list_numbers(const double *numbers, int64_t count, double unit)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(numbers[i] * unit));
    return list;
}

/* What each term adds to the loss. */
static void put_terms(json_t *object, const struct inversion *inversion,
                      const struct inversion_terms *terms)
{
    const struct inversion_weights *weights = &inversion->setup.weights;

    task_files_put(object, "loss", terms->loss);
    task_files_put(object, "data", weights->data * terms->data);
    task_files_put(object, "features", weights->features * terms->features);
    task_files_put(object, "mapping", weights->mapping * terms->mapping);
    task_files_put(object, "prior", weights->prior * terms->prior);
}

static json_t *list_searches(const struct explanation *e)
{
    const struct restarts *restarts = e->restarts;
    json_t *list = json_array();

    for (int32_t i = 0; i < restarts->count; i++) {
        json_t *object = json_object();
        task_files_put(object, "start", restarts->losses[i * (restarts->rounds + 1)]);
        put_terms(object, e->inversion, &restarts->terms[i]);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *code_object(const struct explanation_code *code)
{
    json_t *object = json_object();

    task_files_put(object, "error", code->error);
    json_object_set_new(object, "l0", json_integer(code->l0));
    return object;
}

/* What there is of a decoder alone. */
static void put_latents(json_t *summary, const struct explanation *e)
{
    json_t *list = json_array();

    for (int32_t i = 0; i < e->strongest_count; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "latent", json_integer(e->strongest[i]));
        task_files_put(object, "found", explanation_latent(e, e->strongest[i]));
        task_files_put(object, "encoded", (double)e->thing->inner[e->strongest[i]]);
        json_array_append_new(list, object);
    }
    json_object_set_new(summary, "latents", list);
    json_object_set_new(summary, "found", code_object(&e->found));
    json_object_set_new(summary, "encoded", code_object(&e->encoded));
}

/* What there is of a row of the model. */
static void put_row(json_t *summary, const struct explanation *e)
{
    json_object_set_new(summary, "prompt", json_integer(e->thing->prompt));
    json_object_set_new(summary, "position", json_integer(e->thing->position));
    task_files_put(summary, "unit", e->thing->unit);
}

static json_t *summary_of(const struct circuit *task, const struct explanation *e,
                          const char *autoencoder)
{
    const struct inversion_setup *setup = &e->inversion->setup;
    json_t *summary = task_files_summary(task);

    if (e->thing->prompt >= 0)
        put_row(summary, e);
    if (autoencoder != NULL) {
        json_object_set_new(summary, "autoencoder", json_string(autoencoder));
        put_latents(summary, e);
    }
    if (isfinite(e->cosine))
        task_files_put(summary, "cosine", e->cosine);
    put_terms(summary, e->inversion, &e->restarts->terms[e->restarts->best]);
    json_object_set_new(summary, "best", json_integer(e->restarts->best));
    json_object_set_new(summary, "searches", list_searches(e));
    task_files_put(summary, "error", e->error);
    task_files_put(summary, "gap", e->gap);
    task_files_put(summary, "z_norm", e->z_norm);
    task_files_put(summary, "w_norm", e->w_norm);
    json_object_set_new(summary, "z", list_numbers(e->z, inversion_latents(setup), 1));
    json_object_set_new(summary, "generated",
                        list_numbers(e->generated, network_outputs(setup->generator),
                                     e->thing->unit));
    return summary;
}

/* The JSON comes last, so that a task with it is complete. */
enum status inversion_files_write(const struct task_work *work, const char *name,
                                  const struct explanation *explanation,
                                  const struct descent_options *options, const char *autoencoder)
{
    const struct circuit task = task_stage_circuit(work, name);
    json_t *summary = summary_of(&task, explanation, autoencoder);
    enum status st;

    TRY(inversion_files_write_page(&task, name, explanation, options, summary));
    return task_files_write(&task, name, summary);
done:
    json_decref(summary);
    return st;
}

/* --- all tasks ----------------------------------------------------------------------- */

/* Read the file of a task; NULL: it is not there yet. */
static enum status read_task(json_t **task, const struct suite *suite, int64_t number)
{
    char name[METHODS_NAME], path[PATH_LENGTH];
    enum status st = OK;

    *task = NULL;
    inversion_files_name(name, number);
    paths_result(path, suite, name, ".json");
    if (!file_exists(path))
        return OK;
    TRY(json_file_read_checked(task, path));
done:
    return st;
}

/* What the summary says of a task: some of its members. */
static json_t *thing_object(const json_t *task)
{
    static const char *const KEPT[] = { "prompt", "position", "loss", "error", "gap", "cosine",
                                        "found", "encoded" };
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof KEPT / sizeof *KEPT; i++)
        if (json_object_get(task, KEPT[i]) != NULL)
            json_object_set(object, KEPT[i], json_object_get(task, KEPT[i]));
    return object;
}

void inversion_files_summary_path(char path[PATH_LENGTH], const struct suite *suite)
{
    paths_result(path, suite, SUMMARY, ".json");
}

enum status inversion_files_write_summary(const struct task_work *work)
{
    const struct circuit all = task_stage_circuit(work, SUMMARY);
    const int64_t tasks = work->suite->invert.count;
    json_t *things, *task, *summary;
    char path[PATH_LENGTH];
    double sum = 0;
    enum status st = OK;

    inversion_files_summary_path(path, work->suite);
    if (file_exists(path))
        return OK;
    things = json_array();
    for (int64_t i = 0; i < tasks; i++) {
        TRY(read_task(&task, work->suite, i));
        if (task == NULL)
            goto done;
        sum += task_files_number(task, "error", NULL);
        json_array_append_new(things, thing_object(task));
        json_decref(task);
    }
    summary = task_files_summary(&all);
    json_object_set(summary, "things", things);
    task_files_put(summary, "mean_error", sum / (double)tasks);
    st = task_files_write(&all, SUMMARY, summary);
done:
    json_decref(things);
    return st;
}
