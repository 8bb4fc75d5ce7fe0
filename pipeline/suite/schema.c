#include "suite/schema.h"

#include <assert.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

/* What rows of keys.def are written with. */
#define RANGE(from, to) .least = (from), .most = (to)
#define ANY             1e15                        /* no bound but sense */
#define ABOVE_0         DBL_MIN
#define BELOW_1         0x1.fffffffffffffp-1

const struct section SUITE_SECTIONS[] = {
    { "", ALL_FILES, 0, "release", "" },
#define SECTION(part, files, made, meaning) \
    { #part, files, offsetof(struct suite, part), made, meaning },
#define GROUPS SECTION
#include "suite/keys.def"
};

const int SUITE_SECTIONS_COUNT = sizeof SUITE_SECTIONS / sizeof *SUITE_SECTIONS;

#define ROW(part, member) \
    .section = #part, .name = #member, .offset = offsetof(struct suite_##part, member)
#define LIST_ROW(part, member) \
    ROW(part, member), .list = true, .count = offsetof(struct suite_##part, member##_count)

const struct key SUITE_KEYS[] = {
#define TOP(member, kind, ...) \
    { .section = "", .name = #member, .offset = offsetof(struct suite, member), \
      .type = KEY_##kind, __VA_ARGS__ },
#define KEY(part, member, kind, ...) { ROW(part, member), .type = KEY_##kind, __VA_ARGS__ },
#define LIST(part, member, kind, ...) \
    { LIST_ROW(part, member), .type = KEY_##kind, __VA_ARGS__ },
#define CHOICE(part, member, kind, ...) { ROW(part, member), .type = KEY_CHOICE, __VA_ARGS__ },
#define CHOICES(part, member, kind, ...) \
    { LIST_ROW(part, member), .type = KEY_CHOICE, __VA_ARGS__ },
#include "suite/keys.def"
};

const int SUITE_KEYS_COUNT = sizeof SUITE_KEYS / sizeof *SUITE_KEYS;

bool schema_section_is_of(const struct section *section, enum suite_kind kind)
{
    return (section->files >> kind & 1) != 0;
}

const struct section *schema_section_named(const char *name)
{
    const struct section *section = SUITE_SECTIONS;

    while (strcmp(section->name, name) != 0)
        section++;
    return section;
}

const struct section *schema_section_of(const struct key *key)
{
    return schema_section_named(key->section);
}

/* "one of attn, mlp, res, mlp_in"; "only f32" */
static void print_words(char *text, size_t size, const char *words)
{
    words += strspn(words, " ");
    size_t n = (size_t)snprintf(text, size, strchr(words, ' ') ? "one of " : "only ");

    assert(n + 2 * strlen(words) < size);
    for (; *words != '\0'; words++) {
        if (*words == ' ')
            text[n++] = ',';
        text[n++] = *words;
    }
    text[n] = '\0';
}

const char *schema_key_expects(const struct key *key)
{
    static char text[512];
    char most[32] = "";

    switch (key->type) {
    case KEY_TEXT:
        return "a text";
    case KEY_PATH:
        return "a path";
    case KEY_NAME:
        return "made of at most 100 letters, digits, '.', '_' and '-'";
    case KEY_LAYERS:
        return "all, a layer like 7, or a range like 3-9";
    case KEY_CHOICE:
        print_words(text, sizeof text, key->words);
        return text;
    default:
        if (key->most == BELOW_1)
            snprintf(most, sizeof most, ", less than 1");
        else if (key->most != ANY)
            snprintf(most, sizeof most, " up to %.15g", key->most);
        snprintf(text, sizeof text, "%s %s%.15g%s", key->type == KEY_NUMBER ? "a number"
                 : key->type == KEY_INTEGER ? "an integer" : "bytes, like 512MB or 1GB,",
                 key->least == ABOVE_0 ? "above " : "from ",
                 key->least == ABOVE_0 ? 0 : key->least, most);
        return text;
    }
}
