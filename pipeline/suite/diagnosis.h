/* diagnosis.h -- say why a suite file is refused: the line, what was found, what would be right.
 */
#ifndef DIAGNOSIS_H
#define DIAGNOSIS_H

#include "base/refuse.h"

#include <cyaml/cyaml.h>

/* What libcyaml logs of a failure: first the finding, then where, from the inside out.  (It also
 * logs a line, but that of the event before.) */
struct diagnosis {
    char     finding[256];
    char     field[64];     /* the innermost key, or "" */
    char     section[64];   /* the outermost key, or "" */
    unsigned entry;         /* the outermost item of a list, from 1, or 0 */
};

/* The line, from 1, of a key in the text of a suite file, in group number `entry` if the section
 * is "saes".  If the key is absent, the line of what should hold it.  Local. */
int diagnosis_line(const char *yaml, const char *section, unsigned entry, const char *name);

/* Refuse in one clear sentence a file that libcyaml failed to load with `error`.
 *   path, yaml   of the file and its text
 * Local.  E_USAGE. */
enum status diagnosis_refuse(const struct diagnosis *diagnosis, cyaml_err_t error,
                             const char *path, const char *yaml);

#endif
