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
enum { VERSION = 3, RECIPE_TEXT = 2048 };

/* Two recipes are the same if they read the same. */
static void recipe_text(char text[RECIPE_TEXT], const struct recipe *r)
{
    int n = snprintf(text, RECIPE_TEXT,
                     "%s%s%s, batch %lld, steps %lld, learning_rate %.17g, warmup %lld, "
                     "decay %.17g, sparsity %.17g, target_l0 %.17g %s, target_strength %.17g, "
                     "sparsity_warmup %lld, frequency_strength %.17g, frequency %.17g, "
                     "bandwidth %.17g, threshold %.17g %s, beta1 %.17g, beta2 %.17g, "
                     "epsilon %.17g, clip %.17g, auxk %.17g, auxk_latents %lld, dead_after %lld, "
                     "seed %lld, precision %s, prefixes", r->architecture->name,
                     r->transcoder ? " transcoder" : "", r->skip ? " skip" : "",
                     (long long)r->batch, (long long)r->steps, r->learning_rate,
                     (long long)r->warmup, r->decay, r->sparsity, r->target_l0,
                     r->target_form == TARGET_RATIO ? "ratio" : "quadratic", r->target_strength,
                     (long long)r->sparsity_warmup, r->frequency_strength, r->frequency,
                     r->bandwidth, r->threshold, r->log_threshold ? "log" : "raw", r->beta1,
                     r->beta2, r->epsilon, r->clip, r->auxk, (long long)r->auxk_latents,
                     (long long)r->dead_after, (long long)r->seed,
                     r->precision == PRECISION_BF16 ? "bf16" : "f32");

    for (int p = 0; p < r->prefixes; p++)
        n += snprintf(text + n, RECIPE_TEXT - (size_t)n, " %.17g", r->prefix[p]);
}

static enum status write_counters(hid_t file, const char *path, const struct training *training,
                                  uint64_t data)
{
    char text[RECIPE_TEXT];
    enum status st;

    recipe_text(text, &training->recipe);
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

static enum status check_origin(hid_t file, const char *path, const struct training *training,
                                uint64_t data)
{
    char wanted[RECIPE_TEXT], *found = NULL;
    int64_t data_found;
    enum status st;

    recipe_text(wanted, &training->recipe);
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_text(file, path, "recipe", &found));
    TRY(strcmp(found, wanted) != 0
        ? refuse(E_USAGE, "%s was made with another recipe (%s) than the suite file now asks for; "
                 "put the suite back, or remove the checkpoint to begin anew", path, found) : OK);
    TRY(h5_read_int(file, path, "data", &data_found));
    TRY((uint64_t)data_found != data
        ? refuse(E_USAGE, "%s was made on other activations than those there are now; remove it "
                 "to begin anew", path) : OK);
done:
    free(found);
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
