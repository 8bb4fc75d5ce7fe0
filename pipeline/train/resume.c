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
enum { VERSION = 4 };

static enum status write_counters(hid_t file, const char *path, const struct training *training,
                                  uint64_t data)
{
    char *text = recipe_text(&training->recipe);
    enum status st;

    TRY(h5_write_format(file, path, FORMAT, VERSION));
    TRY(h5_write_text(file, path, "recipe", text));
    TRY(h5_write_int(file, path, "data", (int64_t)data));
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

/* The arrays of a tensor and what they are called; `mean` may not be there, nor the tensor. */
enum { ARRAYS = 3 };

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

/* The step before may have moved them by a gradient that was not finite.  Local. */
static enum status check_finite(const struct training *training)
{
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &training->tensors[i];
        const int64_t count = t->name == NULL ? 0 : (t->own_rows.end - t->own_rows.first)
                                                    * (t->own_columns.end - t->own_columns.first);
        bool finite = true;
        #pragma omp parallel for reduction(&:finite)
        for (int64_t k = 0; k < count; k++)
            finite &= isfinite(t->value[k]);
        if (!finite)
            return refuse(E_NUMERIC, "after step %lld '%s' is not finite",
                          (long long)training->step, t->name);
    }
    return OK;
}

/* Between the two renames a run may be killed: then only the one before is there.  Local. */
static enum status publish(const char *newest, const char *before)
{
    if (file_exists(newest) && rename(newest, before) != 0)
        return file_refuse("rename", newest);
    return file_publish(newest);
}

enum status resume_save(const struct training *training, uint64_t data, const char *stem)
{
    MPI_Comm comm = training->comm;
    char path[PATH_LENGTH], before[PATH_LENGTH], part[PATH_LENGTH], name[64];
    hid_t file = -1;
    int rank;
    enum status st;

    MPI_Comm_rank(comm, &rank);
    resume_path(path, stem, 0);
    resume_path(before, stem, 1);
    path_print(part, "%s.part", path);
    TRY_ALL(comm, check_finite(training));
    TRY_ALL(comm, rank == 0 ? h5_create(&file, part, MPI_COMM_NULL) : OK);
    TRY_ALL(comm, rank == 0 ? write_counters(file, part, training, data) : OK);
    for (int i = 0; i < TENSORS; i++)
        for (int a = 0; a < ARRAYS; a++) {
            const float *values = array_of(&training->tensors[i], a, name);
            if (values != NULL)
                TRY(tensorfile_write(&training->tensors[i], values, file, part, name, comm));
        }
done:
    st = agree(comm, h5_close(&file, part, st));
    if (st == OK)
        st = agree(comm, rank == 0 ? publish(path, before) : OK);
    return st;
}

/* Both texts are one line for each key, and of the same keys but for other versions'. */
static enum status check_recipe(const char *path, const char *found, const char *wanted)
{
    int was, is;

    if (strcmp(found, wanted) == 0)
        return OK;
    for (;;) {
        was = (int)strcspn(found, "\n");
        is = (int)strcspn(wanted, "\n");
        if (was != is || was == 0 || memcmp(found, wanted, (size_t)was) != 0)
            break;
        found += was + (found[was] != '\0');
        wanted += is + (wanted[is] != '\0');
    }
    return refuse(E_USAGE, "%s was made with another recipe ('%.*s') than the suite file now asks "
                  "for ('%.*s'); put the suite back, or remove the checkpoint to begin again",
                  path, was, found, is, wanted);
}

static enum status check_origin(hid_t file, const char *path, const struct training *training,
                                uint64_t data)
{
    char *wanted = recipe_text(&training->recipe), *found = NULL;
    int64_t data_found;
    enum status st;

    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_text(file, path, "recipe", &found));
    TRY(check_recipe(path, found, wanted));
    TRY(h5_read_int(file, path, "data", &data_found));
    REQUIRE((uint64_t)data_found == data, E_USAGE, "%s was made on other activations than those "
            "there are now; remove it to begin again", path);
done:
    free(found);
    free(wanted);
    return st;
}

/* Local. */
static enum status read_all(struct training *training, uint64_t data, const char *path)
{
    char name[64];
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(check_origin(file, path, training, data));
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
done:
    return h5_close(&file, path, st);
}

/* The damaged one must not become the one before the next. */
static enum status replace_newest(const char *stem)
{
    char newest[PATH_LENGTH], before[PATH_LENGTH];

    resume_path(newest, stem, 0);
    resume_path(before, stem, 1);
    return rename(before, newest) != 0 ? file_refuse("rename", before) : OK;
}

enum status resume_load(struct training *training, uint64_t data, const char *stem,
                          struct resumption *resumption)
{
    MPI_Comm comm = training->comm;
    char path[PATH_LENGTH];
    enum status st = OK;
    int rank;

    *resumption = (struct resumption){0};
    MPI_Comm_rank(comm, &rank);
    for (int age = 0; age < CHECKPOINTS; age++) {
        resume_path(path, stem, age);
        if (!comm_file_exists(comm, path))
            continue;
        if (st == E_FORMAT) {
            snprintf(resumption->damage, sizeof resumption->damage, "%s", refuse_reason());
            refuse_clear();
        }
        st = agree(comm, read_all(training, data, path));
        resumption->found = st == OK;
        if (st != E_FORMAT)
            break;
    }
    if (st == OK && resumption->damage[0] != '\0')
        st = agree(comm, rank == 0 ? replace_newest(stem) : OK);
    return st;
}
