#include "suite/value.h"
#include "base/die.h"
#include "base/text.h"
#include "suite/layers.h"
#include "suite/path_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 100 };    /* bytes; it becomes part of a path */

static const char *const UNITS[] = { "kB", "MB", "GB", "TB" };

size_t value_bytes(const struct key *key)
{
    return key->type == KEY_CHOICE ? sizeof(unsigned) : 8;
}

/* The next word of a list with spaces between, and its length; 0 at the end. */
static const char *next_word(const char *words, size_t *length)
{
    words += strspn(words, " ");
    *length = strcspn(words, " ");
    return words;
}

/* The number of a word in such a list, from 0. */
static bool find_word(unsigned *number, const char *words, const char *word)
{
    size_t length;

    *number = 0;
    for (words = next_word(words, &length); length > 0;
         words = next_word(words + length, &length), ++*number)
        if (strlen(word) == length && memcmp(words, word, length) == 0)
            return true;
    return false;
}

static void write_word(FILE *out, const char *words, unsigned number)
{
    size_t length;

    words = next_word(words, &length);
    for (; number > 0; number--)
        words = next_word(words + length, &length);
    fwrite(words, 1, length, out);
}

static bool is_name(const char *text)
{
    if (!isalnum((unsigned char)text[0]) || strlen(text) > LONGEST_NAME)
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
    unsigned choice;

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
    case KEY_CHOICE:
        if (!find_word(&choice, key->words, text))
            return false;
        memcpy(at, &choice, sizeof choice);
        return true;
    case KEY_LAYERS:
        if (!layers_parse(&layers, text))
            return false;
        break;
    case KEY_TEXT:
    case KEY_PATH:
        break;
    }
    *(char **)at = strdup(text);
    if (*(char **)at == NULL)
        die("no memory for a text of %zu bytes", strlen(text));
    return true;
}

static bool is_text(const struct key *key)
{
    return key->type == KEY_TEXT || key->type == KEY_PATH || key->type == KEY_NAME
           || key->type == KEY_LAYERS;
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

/* As a suite file has it: its dollars doubled. */
static void write_path(FILE *out, const char *path)
{
    size_t length;
    char *text;
    FILE *doubled = text_open(&text, &length);

    path_value_write(doubled, path);
    text_close(doubled);
    write_text(out, text);
    free(text);
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
    unsigned choice;

    if (key->type == KEY_PATH) {
        write_path(out, *(char *const *)at);
    } else if (is_text(key)) {
        write_text(out, *(char *const *)at);
    } else if (key->type == KEY_CHOICE) {
        memcpy(&choice, at, sizeof choice);
        write_word(out, key->words, choice);
    } else if (key->type == KEY_NUMBER) {
        fputs(value_number_text(digits, *(const double *)at), out);
    } else {
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
    }
}
