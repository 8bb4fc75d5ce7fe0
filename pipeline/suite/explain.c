#include "suite/explain.h"
#include "suite/schema.h"

#include <string.h>

static const char *const HOW =
    "#\n"
    "# Numbers may be written 2000000, 2_000_000 or 2e6, bytes also 512MB.  Relative paths are\n"
    "# relative to the folder in which the program is started.\n";

enum {
    COLUMNS = 92,   /* of a comment */
    NOTES = 28,     /* column of the notes, unless the value is longer */
};

/* Write `text` as comment lines, broken between words; two spaces end a sentence. */
static void write_comment(FILE *out, const char *indent, const char *text)
{
    size_t column = 0;

    while (*text != '\0') {
        const size_t gap = strspn(text, " "), word = strcspn(text + gap, " ");
        if (column == 0 || column + gap + word > COLUMNS) {
            column = (size_t)fprintf(out, "%s%s# ", column == 0 ? "" : "\n", indent);
            text += gap;
        } else {
            column += (size_t)fprintf(out, "%.*s", (int)gap, text);
            text += gap;
        }
        column += (size_t)fprintf(out, "%.*s", (int)word, text) - (column == 0);
        text += word;
    }
    fputc('\n', out);
}

/* May the value be anything? */
static bool is_free(const struct key *key)
{
    return key->type == KEY_TEXT || key->type == KEY_PATH;
}

/* After the value: what is allowed there. */
static void write_note(FILE *out, const struct key *key)
{
    const char *expects = is_free(key) ? "" : schema_key_expects(key);

    fprintf(out, "  # %s%s%s%s%s", key->required ? "must be given" : "",
            key->required && expects[0] != '\0' ? "; " : "", expects,
            key->unit != NULL ? "; " : "", key->unit != NULL ? key->unit : "");
}

static void explain_key(FILE *out, const struct key *key, const char *indent, const char *lead)
{
    write_comment(out, indent, key->meaning);
    const int column = fprintf(out, "%s%s: %s", lead, key->name, key->value);
    if (!is_free(key) || key->required) {
        fprintf(out, "%*s", column < NOTES ? NOTES - column : 0, "");
        write_note(out, key);
    }
    fputc('\n', out);
}

static void explain_section(FILE *out, const struct section *section)
{
    const bool groups = strcmp(section->name, "saes") == 0;
    const char *indent = groups ? "    " : section->name[0] != '\0' ? "  " : "";
    const char *lead = groups ? "  - " : indent;

    if (section->name[0] != '\0') {
        write_comment(out, "", section->meaning);
        fprintf(out, "%s:\n", section->name);
    }
    for (int k = 0; k < SUITE_KEYS_COUNT; k++)
        if (strcmp(SUITE_KEYS[k].section, section->name) == 0) {
            explain_key(out, &SUITE_KEYS[k], indent, lead);
            lead = indent;
        }
}

static void write_title(FILE *out, enum suite_kind kind)
{
    const bool trains = kind == SUITE_SAES;
    char title[256];

    snprintf(title, sizeof title, "Every key of a file for %s with its default; where a key must "
             "be given, an example.  Made by `saemill explain%s%s`.", kinds_purpose(kind),
             trains ? "" : " ", trains ? "" : kinds_section(kind));
    write_comment(out, "", title);
}

void explain_suite(FILE *out, enum suite_kind kind)
{
    write_title(out, kind);
    fputs(HOW, out);
    for (int s = 0; s < SUITE_SECTIONS_COUNT; s++) {
        if (!schema_section_is_of(&SUITE_SECTIONS[s], kind))
            continue;
        fputc('\n', out);
        explain_section(out, &SUITE_SECTIONS[s]);
    }
}
