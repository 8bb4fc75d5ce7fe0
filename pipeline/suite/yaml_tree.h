/* yaml_tree.h -- what stands at each key of a suite file, as text.
 *
 * libcyaml checks the shape of the file against the table of keys: no unknown key, none
 * twice, lists where lists belong.  It is given every value as a text and does not read
 * numbers, since libcyaml 1.3 takes 2e6 for the integer 2 without a word.
 */
#ifndef YAML_TREE_H
#define YAML_TREE_H

#include "suite/schema.h"

#include <cyaml/cyaml.h>

/* One key.  libcyaml fills it: the order and the types of the members are its own. */
struct slot {
    union {
        char        *text;      /* a single value; NULL if the key is absent */
        char       **texts;     /* a list's values */
        struct slot *slots;     /* the keys of a section, or those of all entries of "saes" */
    };
    unsigned count;             /* of a list or of entries */
};

enum { SECTION_KEYS = 32, SECTIONS_MOST = 12 };

struct yaml_tree {
    const char          *path;          /* for messages */
    const char          *yaml;          /* the file's text, likewise */
    struct slot         *top;           /* keys of "", then the other sections */
    cyaml_schema_value_t schema;        /* made from the table, with ... */
    cyaml_schema_value_t entry;         /* ... one group of "saes" ... */
    cyaml_schema_field_t fields[SECTIONS_MOST][SECTION_KEYS + 1];   /* ... and the keys */
};

/* Read the text of a suite file; `path` is only for messages.  `yaml` and `path` must
 * live as long as the slots.  Local.  E_USAGE. */
enum status yaml_tree_read(struct yaml_tree *slots, const char *yaml, const char *path);
void        yaml_tree_free(struct yaml_tree *slots);

/* The slot of a key, in entry number `entry` of "saes" (0 elsewhere).  NULL if its whole
 * section is absent. */
const struct slot *yaml_tree_get(const struct yaml_tree *slots, const struct key *key, unsigned entry);

/* How many groups stand under "saes". */
unsigned yaml_tree_entries(const struct yaml_tree *slots);

/* Split a default like "[attn, mlp]" as the file's own lists are.  Caller frees with
 * yaml_tree_free_list(). */
char **yaml_tree_list(const char *yaml, unsigned *count);
void   yaml_tree_free_list(char **texts, unsigned count);

#endif
