#include "base/json_file.h"
#include "base/checksum.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdlib.h>

static enum status read_value(json_t **value, const char *path, bool checked)
{
    json_error_t error;
    char *text = NULL;
    int64_t bytes;
    enum status st;

    *value = NULL;
    TRY(file_read(path, &text, &bytes));
    if (checked)
        TRY(checksum_check_json(text, bytes, path));
    *value = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(*value != NULL, E_FORMAT, "%s is not JSON: line %d: %s", path, error.line, error.text);
done:
    free(text);
    return st;
}

enum status json_file_read(json_t **value, const char *path)
{
    return read_value(value, path, false);
}

enum status json_file_read_checked(json_t **value, const char *path)
{
    return read_value(value, path, true);
}
