/* schema.h -- the keys of a suite file as a table, made from keys.def.
 *
 * By it a file is read, completed with the defaults, checked, explained and written.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "suite/keys.h"

#include <stddef.h>

enum key_type {
    KEY_TEXT,       /* char *: anything */
    KEY_PATH,       /* char *: a path, expanded (path_value.h) */
    KEY_NAME,       /* char *: fit for a file name */
    KEY_LAYERS,     /* char *: "all", "7", "3-9" */
    KEY_CHOICE,     /* an enumeration: the number of one of `words`, from 0 */
    KEY_INTEGER,    /* int64_t */
    KEY_BYTES,      /* int64_t: a number, or one with kB, MB, GB or TB */
    KEY_NUMBER,     /* double */
};

struct key {
    const char   *section;  /* "" at the top; "saes": each entry of that list */
    const char   *name;
    enum key_type type;
    bool          list;     /* a list of that type, with its length at `count` */
    bool          required;
    bool          empty;    /* the list may be empty */
    bool          technical;    /* says how and not what: results do not depend on it */
    size_t        offset;   /* in the section's struct; of "" in struct suite */
    size_t        count;    /* of the unsigned length of a list, likewise */
    const char   *value;    /* the default as one would write it; an example if required */
    double        least, most;  /* of integers, bytes and numbers: both are allowed */
    const char   *words;    /* the allowed words, with one space between */
    const char   *unit;     /* NULL if there is none */
    const char   *meaning;  /* one or more sentences */
};

/* All keys, those of a section together and in the order of the file. */
extern const struct key SUITE_KEYS[];
extern const int        SUITE_KEYS_COUNT;

/* The files in which a section may stand: a bit for each enum suite_kind. */
#define SCHEMA_BIT(kind, ...) kind = 1 << SUITE_##kind,
enum { KINDS_TABLE(SCHEMA_BIT) ALL_FILES = (1 << SUITE_KINDS) - 1 };

struct section {
    const char *name;       /* "" is the top */
    unsigned    files;      /* in which it may stand */
    size_t      offset;     /* in struct suite, of the section's struct or of the groups' array */
    const char *made;       /* the first folder in RUN whose content depends on it; NULL: none does,
                               and the section is left out of the effective suite */
    const char *meaning;
};

/* All sections, in the order of the file. */
extern const struct section SUITE_SECTIONS[];
extern const int            SUITE_SECTIONS_COUNT;

/* May a section stand in a file of this kind? */
bool schema_section_is_of(const struct section *section, enum suite_kind kind);

/* The section of a name, and that of a key. */
const struct section *schema_section_named(const char *name);
const struct section *schema_section_of(const struct key *key);

/* What may be written for one value of this key: "an integer from 1 up to 16777216".
 * Valid until the next call. */
const char *schema_key_expects(const struct key *key);

#endif
