#include "suite/value.h"
#include "base/die.h"
#include "suite/layers.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const UNITS[] = { "kB", "MB", "GB", "TB" };

/* Is `word` one of the words of a list with one space between them? */
static bool is_word_of(const char *words, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL && length > 0; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static bool is_name(const char *text)
{
    if (!isalnum((unsigned char)text[0]))
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr("._-", *text) == NULL)
            return false;
    return true;
}

/* A decimal number in range: 2000000, 2_000_000, 2e6, 0.5; with a unit for bytes. */
static bool read_number(double *number, const struct key *key, const char *text)
{
    char digits[64];
    size_t n = 0;
    char *end;

    for (; *text != '\0' && n + 1 < sizeof digits; text++)
        if (*text != '_')
            digits[n++] = *text;
    digits[n] = '\0';
    *number = strtod(digits, &end);
    if (*text != '\0' || end == digits
        || strspn(digits, "0123456789.+-eE") < (size_t)(end - digits))
        return false;
    for (int u = 0; u < 4 && key->type == KEY_BYTES; u++)
        if (strcmp(end, UNITS[u]) == 0 || (end[0] == ' ' && strcmp(end + 1, UNITS[u]) == 0)) {
            *number *= pow(1000, u + 1);
            end += strlen(end);
        }
    return *end == '\0' && key->least <= *number && *number <= key->most;
}

bool value_read(void *at, const struct key *key, const char *text)
{
    struct range layers;
    double number;

    switch (key->type) {
    case KEY_NUMBER:
        if (!read_number(&number, key, text))
            return false;
        *(double *)at = number;
        return true;
    case KEY_INTEGER:
    case KEY_BYTES:
        if (!read_number(&number, key, text) || number != floor(number))
            return false;
        *(int64_t *)at = (int64_t)number;
        return true;
    case KEY_NAME:
        if (!is_name(text))
            return false;
        break;
    case KEY_WORD:
        if (!is_word_of(key->words, text))
            return false;
        break;
    case KEY_LAYERS:
        if (!layers_parse(&layers, text))
            return false;
        break;
    case KEY_TEXT:
        break;
    }
    *(char **)at = strdup(text);
    if (*(char **)at == NULL)
        die("no memory for a text of %zu bytes", strlen(text));
    return true;
}

static bool is_text(const struct key *key)
{
    return key->type != KEY_NUMBER && key->type != KEY_INTEGER && key->type != KEY_BYTES;
}

void value_free(void *at, const struct key *key)
{
    if (is_text(key)) {
        free(*(char **)at);
        *(char **)at = NULL;
    }
}

/* Plain where YAML cannot misread it, else in double quotes. */
static void write_text(FILE *out, const char *text)
{
    static const char *const PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_-./";

    if (isalnum((unsigned char)text[0]) && strspn(text, PLAIN) == strlen(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ')
            fprintf(out, "\\x%02x", (unsigned)(unsigned char)*text);
        else
            fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    fputc('"', out);
}

const char *value_number_text(char text[32], double number)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return text;
}

void value_write(FILE *out, const struct key *key, const void *at)
{
    char digits[32];

    if (is_text(key))
        write_text(out, *(char *const *)at);
    else if (key->type == KEY_NUMBER)
        fputs(value_number_text(digits, *(const double *)at), out);
    else
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
}
