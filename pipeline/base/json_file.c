#include "base/json_file.h"
#include "base/checksum.h"
#include "base/file.h"

#include <stdlib.h>

static enum status parse(json_t **value, const char *text, int64_t bytes, const char *path)
{
    json_error_t error;
    enum status st = OK;

    *value = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(*value != NULL, E_FORMAT, "%s is not JSON: line %d: %s", path, error.line, error.text);
done:
    return st;
}

enum status json_file_read(json_t **value, const char *path)
{
    char *text = NULL;
    int64_t bytes;
    enum status st;

    *value = NULL;
    TRY(file_read(path, &text, &bytes));
    TRY(parse(value, text, bytes, path));
done:
    free(text);
    return st;
}

enum status json_file_read_checked(json_t **value, const char *path)
{
    char *text = NULL;
    int64_t bytes;
    enum status st;

    *value = NULL;
    TRY(file_read(path, &text, &bytes));
    TRY(checksum_check_json(text, bytes, path));
    TRY(parse(value, text, bytes, path));
done:
    free(text);
    return st;
}
