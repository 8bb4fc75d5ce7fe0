#include "methods/fields_page.h"
#include "methods/ioi.h"
#include "methods/task_files.h"
#include "suite/paths.h"

enum { VERSION = 1 };

double ioi_files_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    return fields_disk(IOI_TABLE, IOI_FIELDS, config, shape);
}

/* --- means over prompts: JSON --------------------------------------------------------- */

/* Mean weights of a head, by class. */
static json_t *attention_json(const struct fields *results, enum ioi_field field, int64_t head)
{
    json_t *attention = json_object();

    for (int c = 0; c < PROMPTS_CLASSES; c++)
        task_files_put(attention, prompts_class_name((enum prompts_class)c),
                       fields_mean(results, field, head * PROMPTS_CLASSES + c));
    return attention;
}

static json_t *head_json(const struct fields *results, int64_t head)
{
    json_t *object = json_object();

    json_object_set_new(object, "head", task_files_head(results->circuit->config, head));
    for (int f = IOI_DIRECT_HEAD; f <= IOI_COPIED_NEGATIVE; f++)
        fields_put_mean(object, results, f, head);
    for (int f = IOI_ATTENTION; f <= IOI_ATTENTION_S2; f++)
        json_object_set_new(object, IOI_TABLE[f].name,
                            attention_json(results, (enum ioi_field)f, head));
    return object;
}

static json_t *layers_json(const struct fields *results)
{
    json_t *layers = json_array();

    for (int layer = 0; layer < results->circuit->config->layers; layer++) {
        json_t *object = json_object();
        json_object_set_new(object, "layer", json_integer(layer));
        fields_put_mean(object, results, IOI_DIRECT_ATTN_BIAS, layer);
        fields_put_mean(object, results, IOI_DIRECT_MLP, layer);
        json_array_append_new(layers, object);
    }
    return layers;
}

/* The share of prompts whose logit difference is above 0. */
static double share_positive(const struct fields *results)
{
    const int64_t count = results->circuit->prompts->count;
    int64_t positive = 0;

    for (int64_t p = 0; p < count; p++)
        positive += results->values[IOI_DIFFERENCE][p] > 0;
    return (double)positive / (double)count;
}

static json_t *summary_json(const struct fields *results)
{
    const struct circuit *circuit = results->circuit;
    const int64_t heads = (int64_t)circuit->config->layers * circuit->config->heads;
    json_t *object = task_files_summary(circuit), *list = json_array();

    json_object_set_new(object, "prompts", json_integer(circuit->prompts->count));
    json_object_set_new(object, "tokens", json_integer(circuit->prompts->tokens));
    json_object_set_new(object, "templates", json_integer(prompts_templates(circuit->prompts)));
    task_files_put(object, "share_positive", share_positive(results));
    for (int f = IOI_DIFFERENCE; f <= IOI_DIRECT_BIAS; f++)
        fields_put_mean(object, results, f, 0);
    for (int64_t h = 0; h < heads; h++)
        json_array_append_new(list, head_json(results, h));
    json_object_set_new(object, "heads", list);
    json_object_set_new(object, "layers", layers_json(results));
    return object;
}

enum status ioi_files_write(const struct fields *results, const char *name)
{
    const struct circuit *circuit = results->circuit;
    char path[PATH_LENGTH];
    enum status st = OK;

    paths_result(path, circuit->suite, name, ".h5");
    if (!file_exists(path))
        TRY(fields_write(results, name, "saemill ioi", VERSION));
    paths_result(path, circuit->suite, name, ".html");
    if (!file_exists(path))
        TRY(fields_page_write(results, name, "what each head does for the answer"));
    paths_result(path, circuit->suite, name, ".json");
    if (!file_exists(path))
        TRY(task_files_write(circuit, name, summary_json(results)));
    run_note(circuit->run, "logit difference %.3f; an answer is first in %.1f %% of %lld prompts",
             fields_mean(results, IOI_DIFFERENCE, 0), 100 * fields_mean(results, IOI_FIRST, 0),
             (long long)circuit->prompts->count);
done:
    return st;
}
