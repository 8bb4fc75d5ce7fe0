#include "sae/resume.h"
#include "base/file.h"
#include "sae/architecture.h"
#include "sae/tensorfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "saemill checkpoint";
enum { VERSION = 2, RECIPE_TEXT = 2048 };

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
    TRY(h5_write_double(file, path, "cut", training->cut));
    TRY(h5_write_array(file, path, "silent", H5T_NATIVE_INT64, training->silent,
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

enum status training_save(const struct training *training, uint64_t data, const char *path)
{
    MPI_Comm comm = training->comm;
    char part[PATH_LENGTH], name[64];
    hid_t file = -1;
    int rank;
    enum status st;

    MPI_Comm_rank(comm, &rank);
    path_print(part, "%s.part", path);
    TRY_ALL(comm, rank == 0 ? h5_create(&file, part, MPI_COMM_NULL) : OK);
    TRY_ALL(comm, rank == 0 ? write_counters(file, part, training, data) : OK);
    for (int i = 0; i < TENSORS; i++)
        for (int a = 0; a < ARRAYS; a++) {
            const float *values = array_of(&training->tensors[i], a, name);
            if (values != NULL)
                TRY(tensor_write(&training->tensors[i], values, file, part, name, comm));
        }
done:
    st = agree(comm, h5_close(&file, part, st));
    if (st == OK)
        st = agree(comm, rank == 0 ? file_publish(path) : OK);
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
    TRY(h5_read_double(file, path, "cut", &training->cut));
    TRY(h5_read_array(file, path, "silent", H5T_NATIVE_INT64, training->silent,
                      training->latents, 0));
    for (int i = 0; i < TENSORS; i++)
        for (int a = 0; a < ARRAYS; a++) {
            float *values = array_of(&training->tensors[i], a, name);
            if (values != NULL)
                TRY(tensor_read(&training->tensors[i], values, file, path, name));
        }
done:
    return h5_close(&file, path, st);
}

enum status training_load(struct training *training, uint64_t data, const char *path)
{
    return agree(training->comm, read_all(training, data, path));
}
