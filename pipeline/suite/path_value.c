#include "suite/path_value.h"
#include "base/path.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static enum status write_variable(FILE *out, const char *name, const char *place)
{
    const char *value = getenv(name);
    enum status st;

    REQUIRE(value != NULL && value[0] != '\0', E_USAGE,
            "%s: the variable %s is not set; set it, or "
            "write the path out",
            place, name);
    fputs(value, out);
done:
    return st;
}

/* Write what stands for the dollar at **at, and move *at behind it. */
static enum status write_dollar(FILE *out, const char **at, const char *place)
{
    const bool braced = (*at)[1] == '{';
    const char *first = *at + 1 + braced, *end = first;
    char name[128];
    enum status st;

    while (is_letter(*end))
        end++;
    if (end == first && *first == '$' && !braced) {
        fputc('$', out);
        *at = first + 1;
        return OK;
    }
    REQUIRE(end > first && !isdigit((unsigned char)*first) && (!braced || *end == '}')
            && end - first < (long)sizeof name, E_USAGE, "%s: a $ in a path stands before the name "
            "of a variable, $NAME or ${NAME}; write $$ for the character itself", place);
    memcpy(name, first, (size_t)(end - first));
    name[end - first] = '\0';
    *at = end + braced;
    TRY(write_variable(out, name, place));
done:
    return st;
}

static enum status expand(FILE *out, const char *text, const char *place)
{
    enum status st = OK;

    if (text[0] == '~') {
        REQUIRE(text[1] == '/' || text[1] == '\0', E_USAGE,
                "%s: the home folder of another user is "
                "not known here; write the path out, or ./%.*s if the name begins with ~",
                place, 60, text);
        TRY(write_variable(out, "HOME", place));
        text++;
    }
    while (*text != '\0') {
        if (*text == '$')
            TRY(write_dollar(out, &text, place));
        else
            fputc(*text++, out);
    }
done:
    return st;
}

enum status path_value_expand(char **path, const char *text, const char *place)
{
    size_t length;
    FILE *out = text_open(path, &length);
    enum status st;

    st = expand(out, text, place);
    text_close(out);
    TRY(st);
    REQUIRE(length <= PATH_LONGEST, E_USAGE, "%s: this path has %zu bytes, but what is made in it "
            "must have a name, too; give one of at most %d", place, length, PATH_LONGEST);
    REQUIRE((*path)[0] != '~', E_USAGE, "%s: the path becomes %.60s, which begins with ~; correct "
            "the variable", place, *path);
done:
    if (st != OK) {
        free(*path);
        *path = NULL;
    }
    return st;
}

void path_value_write(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fputs(*text == '$' ? "$$" : (const char[]){ *text, '\0' }, out);
}
