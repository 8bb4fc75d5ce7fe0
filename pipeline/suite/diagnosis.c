#include "suite/diagnosis.h"
#include "suite/schema.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* ---- which line ---- */

/* The value of a key in a mapping, or NULL; *line becomes the line of the key, the last one if it
 * is given several times. */
static yaml_node_t *value_of(yaml_document_t *document, yaml_node_t *node, const char *name,
                             int *line)
{
    if (node == NULL || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.top;
         p-- > node->data.mapping.pairs.start; ) {
        const yaml_node_t *key = yaml_document_get_node(document, p->key);
        if (key->type == YAML_SCALAR_NODE && strcmp((char *)key->data.scalar.value, name) == 0) {
            *line = (int)key->start_mark.line + 1;
            return yaml_document_get_node(document, p->value);
        }
    }
    return NULL;
}

/* An item of a list, or NULL; *line becomes its line. */
static yaml_node_t *item_of(yaml_document_t *document, yaml_node_t *node, unsigned item, int *line)
{
    if (node == NULL || node->type != YAML_SEQUENCE_NODE
        || node->data.sequence.items.start + item >= node->data.sequence.items.top)
        return NULL;
    node = yaml_document_get_node(document, node->data.sequence.items.start[item]);
    *line = (int)node->start_mark.line + 1;
    return node;
}

/* The line of a key, or of what should hold it.  If the text is not YAML, the line of the fault,
 * and *problem becomes libyaml's description of it. */
static int find_line(const char *yaml, const char *section, unsigned entry, const char *name,
                     const char **problem)
{
    yaml_document_t document;
    yaml_parser_t parser;
    int line = 1;

    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, strlen(yaml));
    if (yaml_parser_load(&parser, &document)) {
        yaml_node_t *node = yaml_document_get_root_node(&document);
        if (section[0] != '\0')
            node = value_of(&document, node, section, &line);
        if (strcmp(section, "saes") == 0)
            node = item_of(&document, node, entry, &line);
        value_of(&document, node, name, &line);
        yaml_document_delete(&document);
    } else {
        line = (int)parser.problem_mark.line + 1;
        *problem = parser.problem;
    }
    yaml_parser_delete(&parser);
    return line;
}

int diagnosis_line(const char *yaml, const char *section, unsigned entry, const char *name)
{
    const char *problem;

    return find_line(yaml, section, entry, name, &problem);
}

/* The line of a key in the section, and the group, of the failure. */
static int line_near(const struct diagnosis *diagnosis, const char *yaml, const char *name)
{
    const bool top = strcmp(diagnosis->section, name) == 0;

    return diagnosis_line(yaml, top ? "" : diagnosis->section,
                          diagnosis->entry > 0 ? diagnosis->entry - 1 : 0, name);
}

/* ---- one clear sentence ---- */

/* The least number of changes of one letter, or swaps of two neighbours, that turn a into b. */
static int distance(const char *a, const char *b)
{
    enum { MOST = 32 };
    int d[MOST + 1][MOST + 1];
    const int m = (int)strnlen(a, MOST), n = (int)strnlen(b, MOST);

    for (int i = 0; i <= m; i++) {
        for (int j = 0; j <= n; j++) {
            int best = i == 0 ? j : j == 0 ? i : d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (i > 0 && j > 0) {
                best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
                best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            }
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]
                && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[m][n];
}

/* Guess what the writer of an unknown key meant: " (did you mean 'train'?)", or "". */
static void suggest(char text[128], const char *found, const char *section)
{
    int best = 3;

    text[0] = '\0';
    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        if (strcmp(SUITE_KEYS[k].section, section) == 0
            && distance(found, SUITE_KEYS[k].name) < best) {
            best = distance(found, SUITE_KEYS[k].name);
            snprintf(text, 128, " (did you mean '%s'?)", SUITE_KEYS[k].name);
        }
    for (int s = 1; s < SUITE_SECTIONS_COUNT && section[0] == '\0'; s++)
        if (distance(found, SUITE_SECTIONS[s].name) < best) {
            best = distance(found, SUITE_SECTIONS[s].name);
            snprintf(text, 128, " (did you mean '%s'?)", SUITE_SECTIONS[s].name);
        }
    for (int k = 0; k < SUITE_KEYS_COUNT && text[0] == '\0'; k++)
        if (strcmp(SUITE_KEYS[k].name, found) == 0)
            snprintf(text, 128, " (there is one under '%s')", SUITE_KEYS[k].section);
}

static enum status refuse_unknown(const struct diagnosis *diagnosis, const char *path, int line,
                                  const char *found)
{
    char hint[128], place[96] = "a suite file";

    suggest(hint, found, diagnosis->section);
    if (diagnosis->section[0] != '\0')
        snprintf(place, sizeof place, "'%s'", diagnosis->section);
    return refuse(E_USAGE, "%s:%d: '%s' is not a key of %s%s; `saemill explain` lists all keys",
                  path, line, found, place, hint);
}

/* A list where a value belongs, or the reverse. */
static enum status refuse_shape(const struct diagnosis *diagnosis, const char *path, int line)
{
    for (int k = 0; k < SUITE_KEYS_COUNT; k++) {
        const struct key *key = &SUITE_KEYS[k];
        const char *outer = key->section[0] != '\0' ? key->section : key->name;
        if (strcmp(key->name, diagnosis->field) == 0 && strcmp(outer, diagnosis->section) == 0)
            return refuse(E_USAGE, "%s:%d: '%s' must be %s, like '%s: %s'", path, line, key->name,
                          !key->list ? "a single value"
                          : key->empty ? "a list" : "a list that is not empty",
                          key->name, key->value);
    }
    if (strcmp(diagnosis->section, "saes") == 0)
        return refuse(E_USAGE, "%s:%d: 'saes' must be a list of groups of keys, each begun with "
                      "'- '", path, line);
    if (diagnosis->section[0] != '\0')
        return refuse(E_USAGE, "%s:%d: '%s' must be followed by lines 'KEY: VALUE', indented",
                      path, line, diagnosis->section);
    return refuse(E_USAGE, "%s is not a suite file: it does not consist of lines 'KEY: VALUE'",
                  path);
}

static enum status refuse_yaml(const char *path, const char *yaml)
{
    const char *problem = NULL;
    const int line = find_line(yaml, "", 0, "", &problem);

    return refuse(E_USAGE, "%s:%d: this is not YAML: %s", path, line,
                  problem != NULL ? problem : "it cannot be read");
}

enum status diagnosis_refuse(const struct diagnosis *diagnosis, cyaml_err_t error,
                             const char *path, const char *yaml)
{
    const int line = line_near(diagnosis, yaml, diagnosis->field);
    const char *unknown;

    switch (error) {
    case CYAML_ERR_INVALID_KEY:
        unknown = strrchr(diagnosis->finding, ' ') + 1;
        return refuse_unknown(diagnosis, path, line_near(diagnosis, yaml, unknown), unknown);
    case CYAML_ERR_INVALID_VALUE:
    case CYAML_ERR_SEQUENCE_ENTRIES_MIN:
        return refuse_shape(diagnosis, path, line);
    case CYAML_ERR_LIBYAML_PARSER:
        return refuse_yaml(path, yaml);
    case CYAML_ERR_UNEXPECTED_EVENT:
        return refuse(E_USAGE, "%s:%d: '%s' is given twice", path, line, diagnosis->field);
    case CYAML_ERR_ALIAS:
        return refuse(E_USAGE, "%s:%d: YAML aliases (*) are not understood; write the value out",
                      path, line);
    default:
        return refuse(E_USAGE, "%s:%d: %s", path, line, cyaml_strerror(error));
    }
}
