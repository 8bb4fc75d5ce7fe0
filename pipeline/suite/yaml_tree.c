#include "base/die.h"
#include "suite/diagnosis.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const cyaml_schema_value_t TEXT = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_value_t TEXTS = {
    CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, char *, &TEXT, 0, CYAML_UNLIMITED),
};

static void on_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    struct trouble *trouble = context;
    char text[256], field[64];

    (void)level;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    if (sscanf(text, " in sequence entry '%u'", &trouble->entry) == 1)
        return;
    if (sscanf(text, " in mapping field '%63[^']'", field) == 1) {
        if (trouble->field[0] == '\0')
            memcpy(trouble->field, field, sizeof field);
        memcpy(trouble->section, field, sizeof field);
    } else if (trouble->finding[0] == '\0') {
        memcpy(trouble->finding, text, sizeof text);
    }
}

static cyaml_config_t config(struct trouble *trouble)
{
    return (cyaml_config_t){
        .log_fn = on_log, .log_ctx = trouble, .log_level = CYAML_LOG_WARNING,
        .mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS,
    };
}

/* ---- the table as libcyaml wants it ---- */

static int section_number(const char *name)
{
    int s = 0;

    while (strcmp(SUITE_SECTIONS[s].name, name) != 0)
        s++;
    return s;
}

/* Where a key stands among those of its section. */
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
    const uint32_t at = (uint32_t)(place * sizeof(struct slot));

    value.flags |= CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
    return (cyaml_schema_field_t){
        .key = name, .value = value,
        .data_offset = at + (uint32_t)offsetof(struct slot, text),
        .count_offset = at + (uint32_t)offsetof(struct slot, count),
        .count_size = sizeof(unsigned),
    };
}

static cyaml_schema_value_t mapping_of(const struct yaml_tree *slots, int section)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING, .data_size = (uint32_t)(SECTION_KEYS * sizeof(struct slot)),
        .mapping = { .fields = slots->fields[section] },
    };
}

static void make_schema(struct yaml_tree *slots)
{
    const unsigned top = keys_of("");

    assert(SUITE_SECTIONS_COUNT <= SECTIONS_MOST);
    for (int k = 0; k < SUITE_KEYS_COUNT; k++) {
        const struct key *key = &SUITE_KEYS[k];
        cyaml_schema_value_t value = key->list ? TEXTS : TEXT;
        assert(key_place(key) < SECTION_KEYS);
        if (key->list)
            value.sequence.min = key->empty ? 0 : 1;
        slots->fields[section_number(key->section)][key_place(key)] =
            field_at(key_place(key), key->name, value);
    }
    for (int s = 1; s < SUITE_SECTIONS_COUNT; s++) {
        const unsigned place = top + (unsigned)s - 1;
        const char *name = SUITE_SECTIONS[s].name;
        cyaml_schema_value_t value = mapping_of(slots, s);
        if (strcmp(name, "saes") == 0) {
            slots->entry = value;
            value = (cyaml_schema_value_t){
                CYAML_VALUE_SEQUENCE(0, struct slot, &slots->entry, 1, CYAML_UNLIMITED),
            };
            value.data_size = slots->entry.data_size;
        } else {
            value.flags |= CYAML_FLAG_POINTER_NULL;
        }
        slots->fields[0][place] = field_at(place, name, value);
    }
    slots->schema = mapping_of(slots, 0);
    slots->schema.flags |= CYAML_FLAG_POINTER;
}

/* ---- reading ---- */

enum status yaml_tree_read(struct yaml_tree *slots, const char *yaml, const char *path)
{
    struct trouble trouble = {0};
    const cyaml_config_t how = config(&trouble);
    cyaml_err_t error;

    *slots = (struct yaml_tree){ .path = path, .yaml = yaml };
    make_schema(slots);
    error = cyaml_load_data((const uint8_t *)yaml, strlen(yaml), &how, &slots->schema,
                            (cyaml_data_t **)&slots->top, NULL);
    return error == CYAML_OK ? OK : diagnosis_refuse(slots, error, &trouble);
}

void yaml_tree_free(struct yaml_tree *slots)
{
    struct trouble trouble = {0};
    const cyaml_config_t how = config(&trouble);

    cyaml_free(&how, &slots->schema, slots->top, 0);
    slots->top = NULL;
}

unsigned yaml_tree_entries(const struct yaml_tree *slots)
{
    return slots->top == NULL
         ? 0 : slots->top[keys_of("") + (unsigned)section_number("saes") - 1].count;
}

const struct slot *yaml_tree_get(const struct yaml_tree *slots, const struct key *key, unsigned entry)
{
    const int section = section_number(key->section);
    const struct slot *keys = slots->top;

    if (section != 0 && keys != NULL)
        keys = keys[keys_of("") + (unsigned)section - 1].slots;
    return keys == NULL ? NULL : &keys[entry * SECTION_KEYS + key_place(key)];
}

char **yaml_tree_list(const char *yaml, unsigned *count)
{
    struct trouble trouble = {0};
    const cyaml_config_t how = config(&trouble);
    char **texts = NULL;

    *count = 0;
    if (cyaml_load_data((const uint8_t *)yaml, strlen(yaml), &how, &TEXTS,
                        (cyaml_data_t **)&texts, count) != CYAML_OK)
        die("bug: %s is not a list", yaml);
    return texts;
}

void yaml_tree_free_list(char **texts, unsigned count)
{
    struct trouble trouble = {0};
    const cyaml_config_t how = config(&trouble);

    cyaml_free(&how, &TEXTS, texts, count);
}
