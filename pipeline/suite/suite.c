#include "suite/suite.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"
#include "base/human.h"
#include "base/text.h"
#include "suite/diagnosis.h"
#include "suite/ownership.h"
#include "suite/path_value.h"
#include "suite/stages.h"
#include "suite/value.h"
#include "suite/yaml_limits.h"
#include "suite/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONGEST = 4 << 20 };     /* bytes of a suite file */

static bool is_groups(const struct key *key)
{
    return strcmp(key->section, "saes") == 0;
}

/* The struct that holds a key: a section, one group of autoencoders, or the suite. */
static void *base_of(struct suite *suite, const struct key *key, unsigned entry)
{
    return is_groups(key) ? (void *)&suite->saes[entry]
                          : (void *)((char *)suite + schema_section_of(key)->offset);
}

static unsigned entries_of(const struct suite *suite, const struct key *key)
{
    return is_groups(key) ? suite->saes_count : 1;
}

static void *member(void *base, size_t offset)
{
    return (char *)base + offset;
}

/* ---- from the file and the defaults to the struct ---- */

static int line_of(const struct yaml_tree *tree, const struct key *key, unsigned entry)
{
    return diagnosis_line(tree->yaml, key->section, entry, key->name);
}

/* Keep a path with its ~ and variables expanded. */
static enum status read_path(char **at, const struct yaml_tree *tree, const struct key *key,
                             unsigned entry, const char *text)
{
    const bool plain = strpbrk(text, "~$") == NULL && strlen(text) <= PATH_LONGEST;
    const int line = plain ? 0 : line_of(tree, key, entry);     /* takes a pass over the file */
    char *place;
    enum status st;

    if (asprintf(&place, "%s:%d: '%s'", tree->path, line, key->name) < 0)
        die("no memory for the text of a suite");
    st = path_value_expand(at, text, place);
    free(place);
    return st;
}

static enum status read_value(void *at, const struct yaml_tree *tree, const struct key *key,
                              unsigned entry, const char *text)
{
    if (key->type == KEY_PATH)
        return read_path(at, tree, key, entry, text);
    if (value_read(at, key, text))
        return OK;
    return refuse(E_USAGE, "%s:%d: '%s' is %s%.100s%s, but must be %s", tree->path,
                  line_of(tree, key, entry), key->name, text[0] ? "'" : "empty", text,
                  text[0] ? "'" : "", schema_key_expects(key));
}

static enum status read_list(void *base, const struct yaml_tree *tree, const struct key *key,
                             unsigned entry, char *const *texts, unsigned count)
{
    char *values = allocate(count, (int64_t)value_bytes(key));
    enum status st = OK;

    *(void **)member(base, key->offset) = values;
    *(unsigned *)member(base, key->count) = count;
    for (unsigned i = 0; i < count && st == OK; i++)
        st = read_value(values + i * value_bytes(key), tree, key, entry, texts[i]);
    return st;
}

static enum status read_default_list(void *base, const struct yaml_tree *tree,
                                     const struct key *key)
{
    unsigned count;
    char **texts = yaml_tree_list(key->value, &count);
    const enum status st = read_list(base, tree, key, 0, texts, count);

    yaml_tree_free_list(texts, count);
    return st;
}

static enum status read_key(void *base, const struct yaml_tree *tree, const struct key *key,
                            unsigned entry)
{
    const struct yaml_value *found = yaml_tree_get(tree, key, entry);
    const bool given = found != NULL && (key->list ? (void *)found->texts : (void *)found->text);

    if (!given && key->required)
        return refuse(E_USAGE, "%s:%d: %s%s%s is missing, and has no default: %s", tree->path,
                      line_of(tree, key, entry), key->section, key->section[0] ? "." : "",
                      key->name, key->meaning);
    if (!key->list)
        return read_value(member(base, key->offset), tree, key, entry,
                          given ? found->text : strcmp(key->value, "\"\"") == 0 ? "" : key->value);
    return given ? read_list(base, tree, key, entry, found->texts, found->count)
                 : read_default_list(base, tree, key);
}

/* The key at a member of struct suite_saes. */
static const struct key *saes_key(const char *name)
{
    const struct key *key = SUITE_KEYS;

    while (strcmp(key->section, "saes") != 0 || strcmp(key->name, name) != 0)
        key++;
    return key;
}

/* A group has sparsities or target_l0, not both.  The default of sparsities holds only for a group
 * that gives neither. */
static enum status choose_sparsity(struct suite_saes *saes, const struct yaml_tree *tree,
                                   unsigned entry)
{
    const struct key *sparsities = saes_key("sparsities"), *target = saes_key("target_l0");

    if (saes->target_l0_count == 0)
        return OK;
    if (yaml_tree_get(tree, sparsities, entry)->count > 0)
        return refuse(E_USAGE, "%s:%d: 'sparsities' and 'target_l0' exclude each other; keep "
                      "one of them in each group", tree->path,
                      line_of(tree, target, entry));
    saes->sparsities_count = 0;
    return OK;
}

/* An empty `run` means a path made from the name. */
static void derive_run(struct suite *suite)
{
    char path[PATH_LENGTH];

    if (suite->run[0] == '\0') {
        path_print(path, "runs/%s", suite->name);
        free(suite->run);
        suite->run = strdup(path);
    }
    if (suite->run == NULL)
        die("no memory for a path");
}

/* A file with the section of a kind of task file is of that kind, and must not have sections that
 * only others have. */
static enum status find_kind(struct suite *suite, const struct yaml_tree *tree)
{
    enum status st = OK;

    for (int kind = SUITE_SAES + 1; kind < SUITE_KINDS; kind++)
        if (yaml_tree_has(tree, kinds_section((enum suite_kind)kind)))
            suite->kind = (enum suite_kind)kind;
    for (int s = 1; s < SUITE_SECTIONS_COUNT; s++)
        REQUIRE(schema_section_is_of(&SUITE_SECTIONS[s], suite->kind)
                || !yaml_tree_has(tree, SUITE_SECTIONS[s].name), E_USAGE, "%s:%d: '%s' and "
                "'%s' cannot stand in one file: a file for %s trains nothing; make two files of it",
                tree->path, diagnosis_line(tree->yaml, "", 0, SUITE_SECTIONS[s].name),
                SUITE_SECTIONS[s].name, kinds_section(suite->kind), kinds_purpose(suite->kind));
done:
    return st;
}

/* Members of sections that the file cannot have get their defaults, too, but for those that have
 * none. */
static bool is_read(const struct suite *suite, const struct key *key)
{
    return !key->required || schema_section_is_of(schema_section_of(key), suite->kind);
}

static enum status fill(struct suite *suite, const struct yaml_tree *tree)
{
    enum status st;

    TRY(find_kind(suite, tree));
    suite->saes_count = yaml_tree_groups(tree);
    suite->saes = allocate(suite->saes_count, sizeof *suite->saes);
    for (int k = 0; k < SUITE_KEYS_COUNT && st == OK; k++) {
        const struct key *key = &SUITE_KEYS[k];
        for (unsigned e = 0; e < entries_of(suite, key) && st == OK && is_read(suite, key); e++)
            st = read_key(base_of(suite, key, e), tree, key, e);
    }
    for (unsigned e = 0; e < suite->saes_count && st == OK; e++)
        st = choose_sparsity(&suite->saes[e], tree, e);
    if (st == OK && suite->kind == SUITE_SAES && suite->saes_count == 0)
        st = refuse(E_USAGE, "%s: 'saes' is missing: the autoencoders to train, a list of "
                    "groups; `saemill explain` shows one", tree->path);
done:
    return st;
}

/* ---- the effective suite as text ---- */

static void write_key(FILE *out, const struct key *key, const void *base)
{
    const char *at = (const char *)base + key->offset;

    fprintf(out, "%s: ", key->name);
    if (!key->list) {
        value_write(out, key, at);
    } else {
        const char *values = *(char *const *)(const void *)at;
        const unsigned count = *(const unsigned *)(const void *)((const char *)base + key->count);
        for (unsigned i = 0; i < count; i++) {
            fputs(i == 0 ? "[" : ", ", out);
            value_write(out, key, values + i * value_bytes(key));
        }
        fputs(count == 0 ? "[]" : "]", out);
    }
    fputc('\n', out);
}

/* Every key of one section; those of "saes" once for each group, begun with a dash. */
static void write_section(FILE *out, struct suite *suite, const char *section)
{
    const bool groups = strcmp(section, "saes") == 0;

    if (section[0] != '\0')
        fprintf(out, "%s:\n", section);
    for (unsigned e = 0; e < (groups ? suite->saes_count : 1); e++) {
        const char *indent = groups ? "- " : section[0] != '\0' ? "  " : "";
        for (int k = 0; k < SUITE_KEYS_COUNT; k++) {
            if (strcmp(SUITE_KEYS[k].section, section) != 0)
                continue;
            fputs(indent, out);
            write_key(out, &SUITE_KEYS[k], base_of(suite, &SUITE_KEYS[k], e));
            indent = section[0] != '\0' ? "  " : "";
        }
    }
}

void suite_write_values(FILE *out, const char *section, const void *values)
{
    for (const struct key *key = SUITE_KEYS; key < SUITE_KEYS + SUITE_KEYS_COUNT; key++)
        if (strcmp(key->section, section) == 0 && !key->technical && key->type != KEY_PATH
            && !(is_groups(key) && key->list))
            write_key(out, key, values);
}

void suite_render(struct suite *suite)
{
    size_t length;
    free(suite->text);
    FILE *out = text_open(&suite->text, &length);
    for (int s = 0; s < SUITE_SECTIONS_COUNT; s++)
        if (SUITE_SECTIONS[s].made != NULL && schema_section_is_of(&SUITE_SECTIONS[s], suite->kind))
            write_section(out, suite, SUITE_SECTIONS[s].name);
    text_close(out);
}

/* ---- reading and emptying ---- */

enum status suite_parse(struct suite *suite, const char *yaml, const char *path)
{
    struct yaml_tree tree;
    enum status st;

    *suite = (struct suite){ .path = strdup(path), .source = strdup(yaml) };
    if (suite->path == NULL || suite->source == NULL)
        die("no memory for the text of a suite");
    TRY(yaml_tree_read(&tree, yaml, path));
    TRY(fill(suite, &tree));
    derive_run(suite);
    suite_render(suite);
done:
    yaml_tree_free(&tree);
    return st;
}

enum status suite_check_file(const char *path)
{
    const size_t length = strlen(path);
    struct stat about;
    enum status st;

    REQUIRE(length <= PATH_LONGEST, E_USAGE, "the suite's path has %zu bytes, but may have at most "
            "%d", length, PATH_LONGEST);
    if (stat(path, &about) != 0)
        return file_refuse("read", path);
    REQUIRE(!S_ISDIR(about.st_mode), E_USAGE, "%s is a folder; give the suite file in it", path);
    REQUIRE(about.st_size <= LONGEST, E_USAGE, "%s:1: this file has %s, but a suite file has a few "
            "kB; is it the right one?", path, human_bytes((double)about.st_size));
done:
    return st;
}

/* Has a run of this file the stage? */
static enum status check_stage(const struct suite *suite, const char *name)
{
    enum stage stage;
    enum status st;

    TRY(stage_parse(&stage, name));
    const bool trains = suite->kind == SUITE_SAES;
    REQUIRE(suite_has_stage(suite, stage), E_USAGE, "%s: a file %s section '%s' has no stage %s; "
            "`saemill run` starts those that it has", suite->path,
            trains ? "without a" : "with a",
            kinds_section(trains ? stage_row(stage)->kind : suite->kind), name);
done:
    return st;
}

enum status suite_read(struct suite *suite, const struct run *run)
{
    const MPI_Comm comm = run->comm;
    const char *path = run->suite;
    char *yaml = NULL;
    int64_t bytes;
    enum status st;

    *suite = (struct suite){0};
    TRY_ROOT(comm, suite_check_file(path));
    TRY(comm_read_file(comm, path, &yaml, &bytes));
    TRY(yaml_limits_check_bytes(yaml, bytes, path));    /* the same bytes on every rank */
    TRY_ALL(comm, suite_parse(suite, yaml, path));
    TRY(check_stage(suite, run->stage));                /* likewise */
    TRY_ROOT(comm, ownership_check_source(suite->run, suite->text, path));
    TRY_ROOT(comm, ownership_claim(suite->run, suite->text));
done:
    free(yaml);
    return st;
}

static void free_key(const struct key *key, void *base)
{
    if (!key->list) {
        value_free(member(base, key->offset), key);
        return;
    }
    char **values = member(base, key->offset);
    unsigned *count = member(base, key->count);
    for (unsigned i = 0; i < *count; i++)
        value_free(*values + i * value_bytes(key), key);
    free(*values);
    *values = NULL;
    *count = 0;
}

void suite_free(struct suite *suite)
{
    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        for (unsigned e = 0; e < entries_of(suite, &SUITE_KEYS[k]); e++)
            free_key(&SUITE_KEYS[k], base_of(suite, &SUITE_KEYS[k], e));
    free(suite->saes);
    free(suite->text);
    free(suite->path);
    free(suite->source);
    *suite = (struct suite){0};
}

const char *suite_place(char place[SUITE_PLACE], const struct suite *suite, const char *section,
                        unsigned entry, const char *name)
{
    snprintf(place, SUITE_PLACE, "%s:%d", suite->path,
             diagnosis_line(suite->source, section, entry, name));
    return place;
}

int64_t suite_bucket(const struct suite *suite, int64_t rows)
{
    const enum shuffle_mode mode = suite->shuffle.mode;

    return mode == SHUFFLE_GLOBAL ? rows : mode == SHUFFLE_NONE ? 1 : suite->shuffle.bucket;
}
