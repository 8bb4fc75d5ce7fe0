#include "train/resume.h"
#include "base/agree.h"
#include "base/file.h"
#include "step/architecture.h"
#include "train/tensorfile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "saemill checkpoint";
enum { VERSION = 5 };

static enum status write_counters(hid_t file, const char *path, const struct training *training,
                                  const struct checkpoint_source *source)
{
    char *text = recipe_text(&training->recipe);
    enum status st;

    TRY(h5_write_format(file, path, FORMAT, VERSION));
    TRY(h5_write_text(file, path, "suite", source->identity.suite));
    TRY(identity_write(file, path, &source->identity));
    TRY(h5_write_text(file, path, "recipe", text));
    TRY(h5_write_int(file, path, "data", (int64_t)source->data));
    TRY(h5_write_int(file, path, "step", training->step));
    TRY(h5_write_double(file, path, "density", training->density));
    TRY(h5_write_double(file, path, "cut", training->state.batch_threshold));
    TRY(h5_write_double(file, path, "least", training->lowest_mse));
    TRY(h5_write_array(file, path, "silent", H5T_NATIVE_INT64, training->rows_since_active,
                       training->latents, 0));
done:
    free(text);
    return st;
}

enum { ARRAYS = 3 };

/* Array number `array` of a tensor, and its name in the file.  NULL if the training lacks it: a
 * tensor, or its first moments. */
static float *array_of(const struct tensor *tensor, int array, char name[64])
{
    static const char *const SUFFIXES[ARRAYS] = { "", ".mean", ".square" };
    float *const arrays[ARRAYS] = { tensor->value, tensor->mean, tensor->square };

    snprintf(name, 64, "%s%s", tensor->name, SUFFIXES[array]);
    return arrays[array];
}

void resume_path(char path[PATH_LENGTH], const char *stem, int age)
{
    static const char *const ENDINGS[CHECKPOINTS] = { "", "-before" };

    path_print(path, "%s.checkpoint%s.h5", stem, ENDINGS[age]);
}

enum status resume_remove(const char *stem)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    for (int age = 0; age < CHECKPOINTS && st == OK; age++) {
        resume_path(path, stem, age);
        st = file_remove(path);
    }
    return st;
}

/* Are all parameters finite?  A gradient that is not may have moved them in the last step.
 * Local. */
static enum status check_finite(const struct training *training)
{
    enum status st = OK;

    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &training->tensors[i];
        const int64_t count = t->name == NULL ? 0 : (t->own_rows.end - t->own_rows.first)
                                                    * (t->own_columns.end - t->own_columns.first);
        bool finite = true;
        #pragma omp parallel for reduction(&:finite)
        for (int64_t k = 0; k < count; k++)
            finite &= isfinite(t->value[k]);
        REQUIRE(finite, E_NUMERIC, "after step %lld '%s' is not finite",
                (long long)training->step, t->name);
    }
done:
    return st;
}

/* A run that is killed between the two renames leaves only the one before.  Local. */
static enum status publish(const char *newest, const char *before)
{
    if (file_exists(newest) && rename(newest, before) != 0)
        return file_refuse("rename", newest);
    return file_publish(newest);
}

enum status resume_save(const struct training *training, const struct checkpoint_source *source,
                        const char *stem)
{
    MPI_Comm comm = training->comm;
    char path[PATH_LENGTH], before[PATH_LENGTH], part[PATH_LENGTH], name[64];
    hid_t file = -1;
    enum status st;

    resume_path(path, stem, 0);
    resume_path(before, stem, 1);
    path_print(part, "%s.part", path);
    TRY_ALL(comm, check_finite(training));
    TRY_ROOT(comm, h5_create(&file, part, MPI_COMM_NULL));
    TRY_ROOT(comm, write_counters(file, part, training, source));
    for (int i = 0; i < TENSORS; i++)
        for (int a = 0; a < ARRAYS; a++) {
            const float *values = array_of(&training->tensors[i], a, name);
            if (values != NULL)
                TRY(tensorfile_write(&training->tensors[i], values, file, part, name, comm));
        }
done:
    st = agree(comm, h5_close(&file, part, st));
    return st == OK ? agree(comm, agree_is_root(comm) ? publish(path, before) : OK) : st;
}

/* Compare two recipes' texts, and name the first line that differs. */
static enum status check_recipe(const char *path, const char *found, const char *wanted)
{
    size_t same = 0, line = 0;

    for (; found[same] == wanted[same]; same++) {
        if (found[same] == '\0')
            return OK;
        line = found[same] == '\n' ? same + 1 : line;
    }
    return refuse(E_USAGE, "%s was made with another recipe ('%.*s') than the suite file now asks "
                  "for ('%.*s'); put the suite back, or remove the checkpoint to begin again",
                  path, (int)strcspn(found + line, "\n"), found + line,
                  (int)strcspn(wanted + line, "\n"), wanted + line);
}

static enum status check_origin(hid_t file, const char *path, const struct training *training,
                                const struct checkpoint_source *source)
{
    char *wanted = recipe_text(&training->recipe), *found = NULL;
    int64_t data_found;
    enum status st;

    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_text(file, path, "recipe", &found));
    TRY(check_recipe(path, found, wanted));
    TRY(identity_check(file, path, &source->identity));
    TRY(h5_read_int(file, path, "data", &data_found));
    REQUIRE((uint64_t)data_found == source->data, E_USAGE,
            "%s was made on other activations than those "
            "there are now; remove it to begin again",
            path);
done:
    free(found);
    free(wanted);
    return st;
}

/* Local. */
static enum status read_all(struct training *training, const struct checkpoint_source *source,
                            const char *path)
{
    char name[64];
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(check_origin(file, path, training, source));
    TRY(h5_read_int(file, path, "step", &training->step));
    TRY(h5_read_double(file, path, "density", &training->density));
    TRY(h5_read_double(file, path, "cut", &training->state.batch_threshold));
    TRY(h5_read_double(file, path, "least", &training->lowest_mse));
    TRY(h5_read_array(file, path, "silent", H5T_NATIVE_INT64, training->rows_since_active,
                      training->latents, 0));
    for (int i = 0; i < TENSORS; i++)
        for (int a = 0; a < ARRAYS; a++) {
            float *values = array_of(&training->tensors[i], a, name);
            if (values != NULL)
                TRY(tensorfile_read(&training->tensors[i], values, file, path, name));
        }
    h5_compare_maker(file, path);
done:
    return h5_close(&file, path, st);
}

/* Else the next checkpoint would keep the damaged one as the one before. */
static enum status replace_newest(const char *stem)
{
    char newest[PATH_LENGTH], before[PATH_LENGTH];

    resume_path(newest, stem, 0);
    resume_path(before, stem, 1);
    return rename(before, newest) != 0 ? file_refuse("rename", before) : OK;
}

enum status resume_load(struct training *training, const struct checkpoint_source *source,
                        const char *stem, struct resumption *resumption)
{
    MPI_Comm comm = training->comm;
    char path[PATH_LENGTH];
    enum status st = OK;

    *resumption = (struct resumption){0};
    for (int age = 0; age < CHECKPOINTS; age++) {
        resume_path(path, stem, age);
        if (!comm_file_exists(comm, path))
            continue;
        if (st == E_FORMAT) {
            snprintf(resumption->damage, sizeof resumption->damage, "%s", refuse_reason());
            refuse_clear();
        }
        st = agree(comm, read_all(training, source, path));
        resumption->found = st == OK;
        if (st != E_FORMAT)
            break;
    }
    if (st == OK && resumption->damage[0] != '\0')
        TRY_ROOT(comm, replace_newest(stem));
done:
    return st;
}
