#include "methods/ioi.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdio.h>

enum { VERSION = 1 };

/* --- of each prompt: HDF5 ------------------------------------------------------------ */

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

static enum status write_prompts(hid_t file, const char *path, const struct prompts *prompts)
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

static enum status write_table(const struct circuit *circuit, const struct ioi_results *results,
                               const char *path)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    TRY(task_files_create(&file, part, path, circuit, "saemill ioi", VERSION));
    TRY(write_prompts(file, part, circuit->prompts));
    for (int f = 0; f < IOI_FIELDS; f++) {
        const int64_t columns = ioi_field_columns((enum ioi_field)f, circuit->config);
        TRY(h5_write_array(file, part, ioi_field_name((enum ioi_field)f), H5T_NATIVE_DOUBLE,
                           results->field[f], circuit->prompts->count, columns > 1 ? columns : 0));
    }
done:
    return task_files_publish(&file, part, path, st);
}

double ioi_files_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    int64_t columns = 0;

    for (int f = 0; f < IOI_FIELDS; f++)
        columns += ioi_field_columns((enum ioi_field)f, config);
    return (double)shape.prompts * ((double)columns * sizeof(double)
                                    + 2 * (double)shape.tokens * sizeof(int32_t));
}

/* --- means over prompts: JSON --------------------------------------------------------- */

/* The mean of a column over the prompts that have it; NaN if none has. */
static double mean_of(const struct circuit *circuit, const struct ioi_results *results,
                      enum ioi_field field, int64_t column)
{
    const int64_t columns = ioi_field_columns(field, circuit->config);
    double sum = 0;
    int64_t count = 0;

    for (int64_t p = 0; p < circuit->prompts->count; p++) {
        const double value = results->field[field][p * columns + column];
        if (!isnan(value)) {
            sum += value;
            count++;
        }
    }
    return sum / (double)count;
}

static void put_mean(json_t *object, const struct circuit *circuit,
                     const struct ioi_results *results, enum ioi_field field, int64_t column)
{
    task_files_put(object, ioi_field_name(field), mean_of(circuit, results, field, column));
}

static json_t *head_json(const struct circuit *circuit, const struct ioi_results *results,
                         int64_t head)
{
    json_t *object = json_object(), *attention = json_object();

    json_object_set_new(object, "head", task_files_head(circuit->config, head));
    for (int f = IOI_DIRECT_HEAD; f <= IOI_KNOCKED_ALL; f++)
        put_mean(object, circuit, results, (enum ioi_field)f, head);
    for (int c = 0; c < PROMPTS_CLASSES; c++)
        task_files_put(attention, prompts_class_name((enum prompts_class)c),
                       mean_of(circuit, results, IOI_ATTENTION, head * PROMPTS_CLASSES + c));
    json_object_set_new(object, "attention", attention);
    return object;
}

static json_t *layers_json(const struct circuit *circuit, const struct ioi_results *results)
{
    json_t *layers = json_array();

    for (int layer = 0; layer < circuit->config->layers; layer++) {
        json_t *object = json_object();
        json_object_set_new(object, "layer", json_integer(layer));
        put_mean(object, circuit, results, IOI_DIRECT_ATTN_BIAS, layer);
        put_mean(object, circuit, results, IOI_DIRECT_MLP, layer);
        json_array_append_new(layers, object);
    }
    return layers;
}

/* The share of prompts whose logit difference is above 0. */
static double share_positive(const struct circuit *circuit, const struct ioi_results *results)
{
    int64_t positive = 0;

    for (int64_t p = 0; p < circuit->prompts->count; p++)
        positive += results->field[IOI_DIFFERENCE][p] > 0;
    return (double)positive / (double)circuit->prompts->count;
}

static json_t *summary_json(const struct circuit *circuit, const struct ioi_results *results)
{
    const int64_t heads = (int64_t)circuit->config->layers * circuit->config->heads;
    json_t *object = task_files_summary(circuit), *list = json_array();

    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    json_object_set_new(object, "tokens", json_integer(circuit->prompts->tokens));
    json_object_set_new(object, "templates", json_integer(prompts_templates(circuit->prompts)));
    task_files_put(object, "share_positive", share_positive(circuit, results));
    for (int f = IOI_DIFFERENCE; f <= IOI_DIRECT_BIAS; f++)
        put_mean(object, circuit, results, (enum ioi_field)f, 0);
    for (int64_t h = 0; h < heads; h++)
        json_array_append_new(list, head_json(circuit, results, h));
    json_object_set_new(object, "heads", list);
    json_object_set_new(object, "layers", layers_json(circuit, results));
    return object;
}

static enum status write_summary(const struct circuit *circuit, const struct ioi_results *results,
                                 const char *name)
{
    json_t *summary = summary_json(circuit, results);

    run_note(circuit->run, "logit difference %.3f; an answer is first in %.1f %% of %lld prompts",
             json_number_value(json_object_get(summary, ioi_field_name(IOI_DIFFERENCE))),
             100 * json_number_value(json_object_get(summary, ioi_field_name(IOI_FIRST))),
             (long long)circuit->prompts->count);
    return task_files_write(circuit, name, summary);
}

enum status ioi_files_write(const struct circuit *circuit, const struct ioi_results *results,
                            const char *name)
{
    char table[PATH_LENGTH], summary[PATH_LENGTH];
    enum status st;

    paths_circuit(table, circuit->suite, name, ".h5");
    paths_circuit(summary, circuit->suite, name, ".json");
    if (!file_exists(table))
        TRY(write_table(circuit, results, table));
    if (!file_exists(summary))
        TRY(write_summary(circuit, results, name));
done:
    return st;
}
