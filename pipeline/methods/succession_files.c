#include "base/allocate.h"
#include "methods/succession.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VERSION = 1 };

static const char *const TOKENS[EFFECTIVE_KINDS] = {
    [EFFECTIVE_EMBEDDING] = "embedding", [EFFECTIVE_MLP] = "mlp", [EFFECTIVE_BOTH] = "both",
};

static const char *const DIGITS[SUCCESSION_DIGITS] = {
    [SUCCESSION_PROBE] = "probe", [SUCCESSION_LATENTS] = "latents",
};

static int64_t count_tokens(const struct succession *s)
{
    return s->first[s->ordinals.count];
}

/* --- HDF5 ------------------------------------------------------------------------------- */

/* Ids, classes and places of all tokens. */
static enum status write_tokens(hid_t file, const char *path, const struct succession *s)
{
    const int64_t tokens = count_tokens(s);
    int32_t *columns = allocate(3 * tokens, sizeof *columns);
    enum status st;

    for (int32_t k = 0; k < s->ordinals.count; k++)
        for (int32_t i = 0; i < s->ordinals.classes[k].count; i++) {
            const int64_t at = s->first[k] + i;
            columns[at] = s->ordinals.classes[k].id[i];
            columns[tokens + at] = k;
            columns[2 * tokens + at] = s->ordinals.classes[k].place[i];
        }
    TRY(h5_write_array(file, path, "token", H5T_NATIVE_INT32, columns, tokens, 0));
    TRY(h5_write_array(file, path, "class", H5T_NATIVE_INT32, columns + tokens, tokens, 0));
    TRY(h5_write_array(file, path, "place", H5T_NATIVE_INT32, columns + 2 * tokens, tokens, 0));
done:
    free(columns);
    return st;
}

/* Directions, and arithmetic with them. */
static enum status write_digits(hid_t file, const char *path, const struct succession *s, int d)
{
    const int64_t tokens = count_tokens(s);
    char name[32];
    enum status st;

    snprintf(name, sizeof name, "%s_direction", DIGITS[d]);
    TRY(h5_write_array(file, path, name, H5T_NATIVE_FLOAT, s->ten[d].direction, MOD_TEN,
                       s->ten[d].width));
    snprintf(name, sizeof name, "%s_right", DIGITS[d]);
    TRY(h5_write_array(file, path, name, H5T_NATIVE_INT32, s->right[d], s->heads, tokens));
    snprintf(name, sizeof name, "%s_tried", DIGITS[d]);
    TRY(h5_write_array(file, path, name, H5T_NATIVE_INT32, s->tried[d], s->heads, tokens));
done:
    return st;
}

static enum status write_sets(hid_t file, const char *path, const struct succession *s)
{
    char name[32];
    enum status st;

    TRY(write_tokens(file, path, s));
    TRY(h5_write_array(file, path, "head", H5T_NATIVE_INT64, s->head, s->heads, 0));
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        snprintf(name, sizeof name, "answer_%s", TOKENS[kind]);
        TRY(h5_write_array(file, path, name, H5T_NATIVE_INT32, s->answer[kind], s->heads,
                           count_tokens(s)));
    }
    for (int d = 0; d < SUCCESSION_DIGITS; d++)
        if (s->ten[d].width > 0)
            TRY(write_digits(file, path, s, d));
done:
    return st;
}

static enum status write_table(const struct succession *s, const char *name)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, s->circuit->suite, name, ".h5");
    TRY(task_files_create(&file, part, path, s->circuit, "saemill successors", VERSION));
    TRY(write_sets(file, part, s));
done:
    return task_files_publish(&file, part, path, st);
}

/* --- JSON ------------------------------------------------------------------------------- */

static json_t *classes_json(const struct succession *s)
{
    json_t *list = json_array();

    for (int32_t k = 0; k < s->ordinals.count; k++) {
        const struct ordinal_class *class = &s->ordinals.classes[k];
        json_t *object = json_object();
        json_object_set_new(object, "class", json_string(class->name));
        json_object_set_new(object, "words", json_integer(class->length));
        json_object_set_new(object, "tokens", json_integer(class->count));
        json_array_append_new(list, object);
    }
    return list;
}

/* The score of a head in each class. */
static json_t *scores_json(const struct succession *s, int64_t head, int kind)
{
    json_t *object = json_object();

    for (int32_t k = 0; k < s->ordinals.count; k++)
        task_files_put(object, s->ordinals.classes[k].name,
                       successor_score(s->answer[kind] + head * count_tokens(s) + s->first[k],
                                       &s->ordinals.classes[k]));
    return object;
}

/* The share of exchanged digits with the right answer, in each class. */
static json_t *arithmetic_json(const struct succession *s, int64_t head, int d)
{
    json_t *object = json_object();

    for (int32_t k = 0; k < s->ordinals.count; k++) {
        int64_t right = 0, tried = 0;
        for (int64_t t = s->first[k]; t < s->first[k + 1]; t++) {
            right += s->right[d][head * count_tokens(s) + t];
            tried += s->tried[d][head * count_tokens(s) + t];
        }
        task_files_put(object, s->ordinals.classes[k].name, (double)right / (double)tried);
    }
    return object;
}

static json_t *head_json(const struct succession *s, int64_t head)
{
    json_t *object = json_object(), *scores = json_object(), *arithmetic = json_object();

    json_object_set_new(object, "head", task_files_head(s->circuit->config, s->head[head]));
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++)
        json_object_set_new(scores, TOKENS[kind], scores_json(s, head, kind));
    for (int d = 0; d < SUCCESSION_DIGITS; d++)
        if (s->ten[d].width > 0)
            json_object_set_new(arithmetic, DIGITS[d], arithmetic_json(s, head, d));
    json_object_set_new(object, "scores", scores);
    json_object_set_new(object, "arithmetic", arithmetic);
    return object;
}

/* How well index and class are told from what tokens are. */
static json_t *decoding_json(const struct succession *s)
{
    json_t *all = json_object();

    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        const struct successor_decoding *found = &s->decoding[kind];
        json_t *object = json_object();
        task_files_put(object, "class", (double)found->class_right / (double)found->tokens);
        task_files_put(object, "index", (double)found->index_right / (double)found->indices);
        json_object_set_new(all, TOKENS[kind], object);
    }
    return all;
}

/* The share of the tokens of each class whose strongest digit is theirs. */
static json_t *digits_right_json(const struct succession *s, const struct mod_ten *ten)
{
    json_t *object = json_object();

    for (int32_t k = 0; k < s->ordinals.count; k++) {
        const struct ordinal_class *class = &s->ordinals.classes[k];
        int64_t *number = allocate(class->count, sizeof *number);
        for (int32_t i = 0; i < class->count; i++)
            number[i] = ordinals_number(class, i);
        task_files_put(object, class->name,
                       mod_ten_right(ten, s->x[EFFECTIVE_MLP] + s->first[k] * ten->width, number,
                                     class->count));
        free(number);
    }
    return object;
}

static json_t *digits_json(const struct succession *s)
{
    const struct mod_ten *latents = &s->ten[SUCCESSION_LATENTS];
    json_t *all = json_object();

    for (int d = 0; d < SUCCESSION_DIGITS; d++) {
        json_t *object = json_object();
        if (s->ten[d].width > 0)
            json_object_set_new(object, "right", digits_right_json(s, &s->ten[d]));
        json_object_set_new(all, DIGITS[d], object);
    }
    if (latents->width > 0) {
        json_t *object = json_object_get(all, DIGITS[SUCCESSION_LATENTS]), *list = json_array();
        for (int digit = 0; digit < MOD_TEN; digit++)
            json_array_append_new(list, json_integer(latents->latent[digit]));
        json_object_set_new(object, "latent", list);
        task_files_put(object, "coverage", latents->coverage);
        task_files_put(object, "cosine_to_probe",
                       mod_ten_cosine(latents, &s->ten[SUCCESSION_PROBE]));
    }
    return all;
}

static json_t *summary_json(const struct succession *s)
{
    json_t *summary = task_files_summary(s->circuit), *list = json_array();

    for (int64_t h = 0; h < s->heads; h++)
        json_array_append_new(list, head_json(s, h));
    json_object_set_new(summary, "classes", classes_json(s));
    json_object_set_new(summary, "heads", list);
    json_object_set_new(summary, "decoding", decoding_json(s));
    json_object_set_new(summary, "digits", digits_json(s));
    return summary;
}

enum status succession_write(const struct succession *s, const char *name)
{
    json_t *summary = NULL;
    enum status st;

    TRY(write_table(s, name));
    summary = summary_json(s);
    TRY(succession_page_write(s, name, summary));
    TRY(task_files_write(s->circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}
