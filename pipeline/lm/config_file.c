#include "lm/config_file.h"
#include "base/die.h"

#include <string.h>

json_t *config_file_get(const struct config_file *file, const char *key)
{
    if (json_object_set_new(file->asked, key, json_true()) != 0)
        die("no memory for the keys of %s", file->path);
    return json_object_get(file->root, key);
}

void config_file_skip(const struct config_file *file, const char *key)
{
    (void)config_file_get(file, key);
}

enum status config_file_int(int32_t *value, const struct config_file *file, const char *key,
                            int32_t most)
{
    const json_t *found = config_file_get(file, key);
    enum status st;

    REQUIRE(found != NULL, E_FORMAT, "%s lacks the key \"%s\" (expected: a whole number from 1 "
            "to %d)", file->path, key, (int)most);
    REQUIRE(json_is_integer(found) && json_integer_value(found) >= 1
            && json_integer_value(found) <= most, E_FORMAT,
            "%s: \"%s\" must be a whole number from 1 to %d", file->path, key, (int)most);
    *value = (int32_t)json_integer_value(found);
done:
    return st;
}

enum status config_file_int_or(int32_t *value, const struct config_file *file, const char *key,
                               int32_t most, int32_t absent)
{
    *value = absent;
    return absent > 0 && config_file_get(file, key) == NULL ? OK
         : config_file_int(value, file, key, most);
}

enum status config_file_same(const struct config_file *file, const char *key, const char *other,
                             int32_t read)
{
    const json_t *found = config_file_get(file, key);
    enum status st;

    REQUIRE(json_is_integer(found) && json_integer_value(found) == read, E_FORMAT,
            "%s: \"%s\" must be %d, as \"%s\" is", file->path, key, (int)read, other);
done:
    return st;
}

enum status config_file_positive(double *value, const struct config_file *file, const char *key)
{
    const json_t *found = config_file_get(file, key);
    enum status st;

    REQUIRE(found != NULL, E_FORMAT, "%s lacks the key \"%s\" (expected: a number above 0)",
            file->path, key);
    *value = json_number_value(found);
    REQUIRE(json_is_number(found) && *value > 0 && *value <= 1e30, E_FORMAT,
            "%s: \"%s\" must be a number above 0", file->path, key);
done:
    return st;
}

enum status config_file_positive_or(double *value, const struct config_file *file, const char *key,
                                    double absent)
{
    *value = absent;
    return absent > 0 && config_file_get(file, key) == NULL ? OK
         : config_file_positive(value, file, key);
}

enum status config_file_optional(double *value, const struct config_file *file, const char *key)
{
    *value = 0;
    return config_file_has(file, key) ? config_file_positive(value, file, key) : OK;
}

enum status config_file_flag(bool *value, const struct config_file *file, const char *key,
                             bool absent)
{
    const json_t *found = config_file_get(file, key);
    enum status st;

    REQUIRE(found == NULL || json_is_boolean(found), E_FORMAT,
            "%s: \"%s\" must be true or false", file->path, key);
    *value = found == NULL ? absent : json_is_true(found);
done:
    return st;
}

enum status config_file_id(int32_t *id, const struct config_file *file, const char *key,
                           int32_t vocabulary)
{
    const json_t *found = config_file_get(file, key);
    enum status st = OK;

    if (json_is_array(found))
        found = json_array_get(found, 0);
    *id = -1;
    if (found == NULL || json_is_null(found))
        goto done;
    REQUIRE(json_is_integer(found) && json_integer_value(found) >= 0
            && json_integer_value(found) < vocabulary, E_FORMAT,
            "%s: \"%s\" must be a token id below the vocabulary's size, %d", file->path, key,
            (int)vocabulary);
    *id = (int32_t)json_integer_value(found);
done:
    return st;
}

bool config_file_has(const struct config_file *file, const char *key)
{
    const json_t *found = config_file_get(file, key);

    return found != NULL && !json_is_null(found);
}

enum status config_file_expect(const struct config_file *file, const char *key, const char *only)
{
    const json_t *found = config_file_get(file, key);
    json_t *value = json_loads(only, JSON_DECODE_ANY, NULL);
    enum status st;

    if (json_is_null(found) && strcmp(only, "false") == 0)
        found = NULL;
    REQUIRE(found == NULL || json_equal(found, value), E_FORMAT,
            "%s: \"%s\" must be %s for this model family", file->path, key, only);
done:
    json_decref(value);
    return st;
}
