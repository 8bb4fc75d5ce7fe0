/* yaml_tree.h -- a suite file as a tree of texts: one at each key.
 *
 * libcyaml checks the shape of the file against the table of keys: no unknown key, no key twice,
 * lists where lists belong.  It loads every value as a text and reads no numbers, since
 * libcyaml 1.3 takes 2e6 for the integer 2 without a word.
 */
#ifndef YAML_TREE_H
#define YAML_TREE_H

#include "suite/schema.h"

#include <cyaml/cyaml.h>

/* What stands at one key.  libcyaml fills it, so it chose the types of the members. */
struct yaml_value {
    union {
        char              *text;    /* a single value; NULL if the key is absent */
        char             **texts;   /* the values of a list */
        struct yaml_value *keys;    /* a section's keys, or those of all groups of "saes":
                                       [groups][SECTION_KEYS] */
    };
    unsigned count;                 /* of a list or of groups */
};

enum { SECTION_KEYS = 64, SECTIONS_MOST = 16 };     /* capacities of the schema below */

struct yaml_tree {
    const char          *path;          /* of the file, for messages */
    const char          *yaml;          /* its text, likewise */
    struct yaml_value   *top;           /* keys of "", then the other sections */
    cyaml_schema_value_t schema;        /* made from the table of keys, with ... */
    cyaml_schema_value_t group;         /* ... one group of "saes" ... */
    cyaml_schema_field_t fields[SECTIONS_MOST][SECTION_KEYS + 1];   /* ... and the keys */
};

/* Read the text of a suite file; `path` is only for messages.  `yaml` and `path` must stay as long
 * as the tree.  Local.  E_USAGE. */
enum status yaml_tree_read(struct yaml_tree *tree, const char *yaml, const char *path);
void        yaml_tree_free(struct yaml_tree *tree);

/* The value of a key, in group number `group` of "saes" (0 elsewhere).  NULL if the whole section
 * is absent. */
const struct yaml_value *yaml_tree_get(const struct yaml_tree *tree, const struct key *key,
                                       unsigned group);

/* Has the file a section of this name, with anything in it? */
bool yaml_tree_has(const struct yaml_tree *tree, const char *section);

/* The number of groups in "saes". */
unsigned yaml_tree_groups(const struct yaml_tree *tree);

/* Split a default like "[attn, mlp]" as the lists of files are split.  Caller frees with
 * yaml_tree_free_list(). */
char **yaml_tree_list(const char *yaml, unsigned *count);
void   yaml_tree_free_list(char **texts, unsigned count);

#endif
