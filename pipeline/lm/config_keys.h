/* config_keys.h -- no key of a config.json goes unnoticed.
 *
 * A key that a family does not know may change the model's arithmetic: a bias, another scale,
 * attention in both directions.  So each key has been asked for by the family's reader
 * (config_file_get() notes it), or stands in the list of those that cannot matter, or is refused.
 */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include "lm/config_file.h"

/* Refuse a key by its name, unless it was asked for, is null, or is one of the known harmless
 * ones.  To be called when everything has been read.  Local.  E_FORMAT. */
enum status config_keys_check(const struct config_file *file);

/* Is this key one that says nothing about what a model computes from token ids?  Local. */
bool config_keys_harmless(const char *key);

#endif
