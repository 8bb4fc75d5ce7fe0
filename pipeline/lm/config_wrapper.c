#include "lm/config_wrapper.h"
#include "base/die.h"
#include "lm/config_keys.h"

#include <string.h>

/* The ids are those that Hugging Face's library takes where a file does not say them. */
static const struct wrapper {
    const char *name, *text;        /* "model_type" of the whole, and of its text part */
    int32_t     bos, eos, pad;      /* -1: none */
} WRAPPERS[] = {
    { "gemma3", "gemma3_text", 2, 1, 0 },
    { "mistral3", "mistral", 1, 2, -1 },
};

static const struct wrapper *find(const json_t *root)
{
    const char *name = json_string_value(json_object_get(root, "model_type"));

    for (size_t i = 0; name != NULL && i < sizeof WRAPPERS / sizeof *WRAPPERS; i++)
        if (strcmp(WRAPPERS[i].name, name) == 0)
            return &WRAPPERS[i];
    return NULL;
}

static bool is_special_id(const char *key)
{
    return strcmp(key, "bos_token_id") == 0 || strcmp(key, "eos_token_id") == 0
           || strcmp(key, "pad_token_id") == 0;
}

static void set(json_t *text, const char *key, json_t *value)
{
    if (json_object_set_new(text, key, value) != 0)
        die("no memory for the keys of a config.json");
}

static void add_id(json_t *text, const char *key, int32_t id)
{
    if (json_object_get(text, key) == NULL && id >= 0)
        set(text, key, json_integer(id));
}

/* Give the text part the keys that only the whole has. */
static enum status add_others(json_t *text, const struct config_file *file)
{
    const char *key;
    json_t *value;
    enum status st = OK;

    json_object_foreach(file->root, key, value) {
        const json_t *own = json_object_get(text, key);
        if (strcmp(key, "model_type") == 0 || strcmp(key, "text_config") == 0)
            continue;
        REQUIRE(own == NULL || json_equal(own, value) || is_special_id(key)
                || config_keys_harmless(key), E_FORMAT, "%s: \"%s\" and that of \"text_config\" "
                "differ", file->path, key);
        if (own == NULL)
            set(text, key, json_incref(value));
    }
done:
    return st;
}

enum status config_wrapper_open(struct config_file *file)
{
    const struct wrapper *wrapper = find(file->root);
    json_t *text = json_object_get(file->root, "text_config");
    const char *type = json_string_value(json_object_get(text, "model_type"));
    enum status st = OK;

    if (wrapper == NULL)
        goto done;
    REQUIRE(type != NULL && strcmp(type, wrapper->text) == 0, E_FORMAT,
            "%s: a model of type \"%s\" "
            "must have an object \"text_config\" whose \"model_type\" is \"%s\"",
            file->path, wrapper->name, wrapper->text);
    TRY(add_others(text, file));
    REQUIRE(json_object_get(text, "final_logit_softcapping") == NULL
            || json_is_null(json_object_get(text, "final_logit_softcapping")), E_FORMAT, "%s: "
            "\"final_logit_softcapping\" must be null next to images", file->path);
    add_id(text, "bos_token_id", wrapper->bos);
    add_id(text, "eos_token_id", wrapper->eos);
    add_id(text, "pad_token_id", wrapper->pad);
    json_incref(text);
    json_decref(file->root);
    file->root = text;
done:
    return st;
}
