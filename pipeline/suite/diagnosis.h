/* diagnosis.h -- why a suite file is refused: the line, what was found, what would be right.
 */
#ifndef DIAGNOSIS_H
#define DIAGNOSIS_H

#include "suite/yaml_tree.h"

/* What libcyaml says of a failure, in its log: first the finding, then where, from the
 * inside out.  (Lines too, but they are those of the event before.) */
struct trouble {
    char     finding[256];
    char     field[64];     /* the innermost key, or "" */
    char     section[64];   /* the outermost key, or "" */
    unsigned entry;         /* the outermost item of a list, from 1, or 0 */
};

/* The line, from 1, of a key; if it is absent, of what should hold it.  Local. */
int diagnosis_line(const struct yaml_tree *slots, const struct key *key, unsigned entry);

/* The same in the text of a file; of group number `entry` if the section is "saes".  Local. */
int diagnosis_line_in(const char *yaml, const char *section, unsigned entry, const char *name);

/* Refuse in one clear sentence.  Local.  E_USAGE. */
enum status diagnosis_refuse(const struct yaml_tree *slots, cyaml_err_t error, const struct trouble *trouble);

#endif
