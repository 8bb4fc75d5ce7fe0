/* config_file.h -- read the keys of a checkpoint's config.json, which is not trusted.
 *
 * Everything here is Local, and refuses with E_FORMAT: the file, the key, what was expected.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "base/refuse.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct config_file {
    const char *path;
    json_t     *root;
    json_t     *asked;      /* an object with the keys that were asked for (config_keys.h) */
};

/* The largest values that make sense: of numbers of ids or positions, of widths, of heads. */
enum { CONFIG_IDS_MAX = 1 << 24, CONFIG_WIDTH_MAX = 1 << 20, CONFIG_HEADS_MAX = 1 << 12 };

/* The value of a key; NULL if there is none.  All functions here note that a key was asked for. */
json_t *config_file_get(const struct config_file *file, const char *key);

/* Note a key that does not matter in this family. */
void config_file_skip(const struct config_file *file, const char *key);

/* A whole number from 1 to `most`. */
enum status config_file_int(int32_t *value, const struct config_file *file, const char *key,
                            int32_t most);

/* The same, or `absent` if there is no such key; absent 0: it must be there. */
enum status config_file_int_or(int32_t *value, const struct config_file *file, const char *key,
                               int32_t most, int32_t absent);

/* A second name of a number that was read as `other`: the same value, `read`. */
enum status config_file_same(const struct config_file *file, const char *key, const char *other,
                             int32_t read);

/* A number above 0. */
enum status config_file_positive(double *value, const struct config_file *file, const char *key);

/* The same, or `absent` if there is no such key; absent 0: it must be there. */
enum status config_file_positive_or(double *value, const struct config_file *file, const char *key,
                                    double absent);

/* The same, or 0 if the key is absent or null. */
enum status config_file_optional(double *value, const struct config_file *file, const char *key);

/* true or false; `absent` if there is no such key. */
enum status config_file_flag(bool *value, const struct config_file *file, const char *key,
                             bool absent);

/* A token id below `vocabulary`: -1 if the key is absent or null, the first one of a list. */
enum status config_file_id(int32_t *id, const struct config_file *file, const char *key,
                           int32_t vocabulary);

/* Does the file have this key with another value than null? */
bool config_file_has(const struct config_file *file, const char *key);

/* A key that may be absent, but has this value, in JSON, if it is there.  null means false. */
enum status config_file_expect(const struct config_file *file, const char *key,
                               const char *only);

#endif
