#include "methods/task_files.h"
#include "base/checksum.h"
#include "base/die.h"
#include "shard/maker.h"
#include "suite/paths.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status task_files_create(hid_t *file, char part[PATH_LENGTH], const char *path,
                              const struct circuit *circuit, const char *format, int version)
{
    enum status st;

    path_print(part, "%s.part", path);
    TRY(file_make_folder_above(path));
    TRY(h5_create(file, part, MPI_COMM_NULL));
    TRY(h5_write_format(*file, part, format, version));
    TRY(identity_write(*file, part, &circuit->identity));
    TRY(h5_write_text(*file, part, "suite", circuit->suite->text));
    TRY(h5_write_int(*file, part, "layers", circuit->config->layers));
    TRY(h5_write_int(*file, part, "heads", circuit->config->heads));
done:
    return st;
}

enum status task_files_publish(hid_t *file, const char *part, const char *path, enum status st)
{
    st = h5_close(file, part, st);
    return st == OK ? file_publish(path) : st;
}

static enum status write_ids(hid_t file, const char *path, const char *name, const int32_t *values,
                             int64_t rows, int64_t columns)
{
    return h5_write_array(file, path, name, H5T_NATIVE_INT32, values, rows, columns);
}

static enum status write_lists(hid_t file, const char *path, const char *name,
                               const struct prompts_lists *lists, int64_t count)
{
    char first[64];
    enum status st;

    snprintf(first, sizeof first, "%s_first", name);
    TRY(write_ids(file, path, name, lists->items, lists->first[count], 0));
    TRY(write_ids(file, path, first, lists->first, count + 1, 0));
done:
    return st;
}

enum status task_files_write_prompts(hid_t file, const char *path, const struct prompts *prompts)
{
    const int64_t count = prompts->count;
    enum status st;

    TRY(write_ids(file, path, "clean", prompts->clean, count, prompts->tokens));
    TRY(write_ids(file, path, "corrupted", prompts->corrupted, count, prompts->tokens));
    TRY(write_ids(file, path, "length", prompts->length, count, 0));
    TRY(write_ids(file, path, "template", prompts->template, count, 0));
    TRY(write_ids(file, path, "classes", prompts->classes, count, PROMPTS_CLASSES));
    TRY(write_lists(file, path, "answers", &prompts->answers, count));
    TRY(write_lists(file, path, "wrong", &prompts->wrong, count));
done:
    return st;
}

json_t *task_files_summary(const struct circuit *circuit)
{
    json_t *object = json_object();
    char hash[32];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)circuit->identity.hash);
    json_object_set_new(object, "place", json_string(circuit->identity.place));
    json_object_set_new(object, "identity", json_string(hash));
    json_object_set_new(object, "kernels", json_string(maker_kernels()));
    return object;
}

void task_files_put(json_t *object, const char *name, double value)
{
    json_object_set_new(object, name, isfinite(value) ? json_real(value) : json_null());
}

double task_files_number(const json_t *object, ...)
{
    va_list names;

    va_start(names, object);
    for (const char *name; (name = va_arg(names, const char *)) != NULL;)
        object = json_object_get(object, name);
    va_end(names);
    return json_is_number(object) ? json_number_value(object) : (double)NAN;
}

json_t *task_files_head(const struct lm_config *config, int64_t head)
{
    char name[32];

    snprintf(name, sizeof name, "%lld.%lld", (long long)(head / config->heads),
             (long long)(head % config->heads));
    return json_string(name);
}

int64_t task_files_head_number(const json_t *object, const struct lm_config *config)
{
    int layer = 0, head = 0;

    sscanf(json_string_value(json_object_get(object, "head")), "%d.%d", &layer, &head);
    return (int64_t)layer * config->heads + head;
}

enum status task_files_write(const struct circuit *circuit, const char *name, json_t *summary)
{
    char *object = json_dumps(summary, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    char path[PATH_LENGTH];

    if (object == NULL)
        die("no memory for the text of results");
    char *text = checksum_json(object);
    paths_result(path, circuit->suite, name, ".json");
    const enum status st = file_write(path, text, (int64_t)strlen(text));
    free(text);
    free(object);
    json_decref(summary);
    return st;
}
