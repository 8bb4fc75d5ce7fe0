#include "suite/yaml_tree.h"
#include "base/die.h"
#include "suite/diagnosis.h"
#include "suite/yaml_limits.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const cyaml_schema_value_t TEXT = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_value_t TEXTS = {
    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, char *, &TEXT, 0, CYAML_UNLIMITED),
};

/* Take down what libcyaml logs of a failure. */
static void on_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct diagnosis *diagnosis = context;
    char text[256], field[64];

    (void)level;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    if (sscanf(text, " in sequence entry '%u'", &diagnosis->entry) == 1)
        return;
    if (sscanf(text, " in mapping field '%63[^']'", field) == 1) {
        if (diagnosis->field[0] == '\0')
            memcpy(diagnosis->field, field, sizeof field);
        memcpy(diagnosis->section, field, sizeof field);
    } else if (diagnosis->finding[0] == '\0') {
        memcpy(diagnosis->finding, text, sizeof text);
    }
}

static cyaml_config_t config(struct diagnosis *diagnosis)
{
    return (cyaml_config_t){
        .log_fn = on_log, .log_ctx = diagnosis, .log_level = CYAML_LOG_WARNING,
        .mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS,
    };
}

/* ---- the table of keys as a schema of libcyaml ---- */

static int section_number(const char *name)
{
    int s = 0;

    while (strcmp(SUITE_SECTIONS[s].name, name) != 0)
        s++;
    return s;
}

/* The number of a key among those of its section, from 0. */
static unsigned key_place(const struct key *key)
{
    unsigned place = 0;

    for (const struct key *k = SUITE_KEYS; k < key; k++)
        place += strcmp(k->section, key->section) == 0;
    return place;
}

static unsigned keys_of(const char *section)
{
    unsigned n = 0;

    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        n += strcmp(SUITE_KEYS[k].section, section) == 0;
    return n;
}

static cyaml_schema_field_t field_at(unsigned place, const char *name, cyaml_schema_value_t value)
{
    const uint32_t at = (uint32_t)(place * sizeof(struct yaml_value));

    value.flags |= CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
    return (cyaml_schema_field_t){
        .key = name, .value = value,
        .data_offset = at + (uint32_t)offsetof(struct yaml_value, text),
        .count_offset = at + (uint32_t)offsetof(struct yaml_value, count),
        .count_size = sizeof(unsigned),
    };
}

static cyaml_schema_value_t mapping_of(const struct yaml_tree *tree, int section)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING, .data_size = (uint32_t)(SECTION_KEYS * sizeof(struct yaml_value)),
        .mapping = { .fields = tree->fields[section] },
    };
}

static void make_schema(struct yaml_tree *tree)
{
    const unsigned top = keys_of("");

    assert(SUITE_SECTIONS_COUNT <= SECTIONS_MOST);
    for (int k = 0; k < SUITE_KEYS_COUNT; k++) {
        const struct key *key = &SUITE_KEYS[k];
        cyaml_schema_value_t value = key->list ? TEXTS : TEXT;
        assert(key_place(key) < SECTION_KEYS);
        if (key->list)
            value.sequence.min = key->empty ? 0 : 1;
        tree->fields[section_number(key->section)][key_place(key)] =
            field_at(key_place(key), key->name, value);
    }
    for (int s = 1; s < SUITE_SECTIONS_COUNT; s++) {
        const unsigned place = top + (unsigned)s - 1;
        const char *name = SUITE_SECTIONS[s].name;
        cyaml_schema_value_t value = mapping_of(tree, s);
        if (strcmp(name, "saes") == 0) {
            tree->group = value;
            value = (cyaml_schema_value_t){
                CYAML_VALUE_SEQUENCE(0, struct yaml_value, &tree->group, 1, CYAML_UNLIMITED),
            };
            value.data_size = tree->group.data_size;
        } else {
            value.flags |= CYAML_FLAG_POINTER_NULL;
        }
        tree->fields[0][place] = field_at(place, name, value);
    }
    tree->schema = mapping_of(tree, 0);
    tree->schema.flags |= CYAML_FLAG_POINTER;
}

/* ---- reading ---- */

enum status yaml_tree_read(struct yaml_tree *tree, const char *yaml, const char *path)
{
    struct diagnosis diagnosis = {0};
    const cyaml_config_t how = config(&diagnosis);
    cyaml_err_t error;

    *tree = (struct yaml_tree){ .path = path, .yaml = yaml };
    make_schema(tree);
    if (yaml_limits_check(yaml, path) != OK)
        return E_USAGE;
    error = cyaml_load_data((const uint8_t *)yaml, strlen(yaml), &how, &tree->schema,
                            (cyaml_data_t **)&tree->top, NULL);
    return error == CYAML_OK ? OK : diagnosis_refuse(&diagnosis, error, path, yaml);
}

void yaml_tree_free(struct yaml_tree *tree)
{
    struct diagnosis diagnosis = {0};
    const cyaml_config_t how = config(&diagnosis);

    cyaml_free(&how, &tree->schema, tree->top, 0);
    tree->top = NULL;
}

static const struct yaml_value *section_value(const struct yaml_tree *tree, const char *section)
{
    return tree->top == NULL
         ? NULL : &tree->top[keys_of("") + (unsigned)section_number(section) - 1];
}

bool yaml_tree_has(const struct yaml_tree *tree, const char *section)
{
    const struct yaml_value *value = section_value(tree, section);

    return value != NULL && value->keys != NULL;
}

unsigned yaml_tree_groups(const struct yaml_tree *tree)
{
    const struct yaml_value *groups = section_value(tree, "saes");

    return groups == NULL ? 0 : groups->count;
}

const struct yaml_value *yaml_tree_get(const struct yaml_tree *tree, const struct key *key,
                                       unsigned group)
{
    const int section = section_number(key->section);
    const struct yaml_value *keys = tree->top;

    if (section != 0 && keys != NULL)
        keys = keys[keys_of("") + (unsigned)section - 1].keys;
    return keys == NULL ? NULL : &keys[group * SECTION_KEYS + key_place(key)];
}

char **yaml_tree_list(const char *yaml, unsigned *count)
{
    struct diagnosis diagnosis = {0};
    const cyaml_config_t how = config(&diagnosis);
    char **texts = NULL;

    *count = 0;
    if (cyaml_load_data((const uint8_t *)yaml, strlen(yaml), &how, &TEXTS,
                        (cyaml_data_t **)&texts, count) != CYAML_OK)
        die_as(E_IO, "bug: %s is not a list", yaml);
    return texts;
}

void yaml_tree_free_list(char **texts, unsigned count)
{
    struct diagnosis diagnosis = {0};
    const cyaml_config_t how = config(&diagnosis);

    cyaml_free(&how, &TEXTS, texts, count);
}
