#define PCRE2_CODE_UNIT_WIDTH 8

#include "corpus/pattern.h"
#include "base/allocate.h"
#include "base/die.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Unicode's White_Space.  PCRE2's own \s has one character more, U+180E. */
#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}" \
               "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/* --- from Oniguruma to PCRE2 --------------------------------------------------------- */

/* A pattern being translated. */
struct translation {
    const char *from;           /* what comes next */
    char       *to;             /* end of what is written */
    const char *fault;          /* what is not understood; NULL: nothing */
};

static bool fail(struct translation *work, const char *fault)
{
    if (work->fault == NULL)
        work->fault = fault;
    return false;
}

static void copy(struct translation *work, size_t bytes)
{
    memcpy(work->to, work->from, bytes);
    work->to += bytes;
    work->from += bytes;
}

static void write_out(struct translation *work, const char *text)
{
    work->to = stpcpy(work->to, text);
}

/* \p{L}, \P{Lu}: general categories.  Names of scripts mean more to PCRE2. */
static bool translate_property(struct translation *work)
{
    const char *name = work->from + 3;
    const size_t letters = strcspn(name, "}");

    if (work->from[2] != '{' || letters == 0 || letters > 2 || name[letters] != '}'
        || strchr("LMNPSZC", name[0]) == NULL || (letters == 2 && !islower((unsigned char)name[1])))
        return fail(work, "a property \\p{...} that is no general category");
    copy(work, 4 + letters);
    return true;
}

static bool translate_escape(struct translation *work, bool in_class)
{
    const char sign = work->from[1];

    if (sign == 'p' || sign == 'P')
        return translate_property(work);
    if (sign == 's' || (sign == 'S' && !in_class)) {
        write_out(work, in_class ? SPACES : sign == 's' ? "[" SPACES "]" : "[^" SPACES "]");
        work->from += 2;
        return true;
    }
    if (sign == '\0' || (strchr("rnt", sign) == NULL && !ispunct((unsigned char)sign)))
        return fail(work,
                    "an escape other than \\s, \\S, \\p{...}, \\r, \\n, \\t and those of signs");
    copy(work, 2);
    return true;
}

/* A class in brackets, without others in it. */
static bool translate_class(struct translation *work)
{
    copy(work, work->from[1] == '^' ? 2 : 1);
    if (*work->from == ']')
        return fail(work, "a class that begins with ]");
    while (*work->from != ']') {
        if (*work->from == '\0')
            return fail(work, "a class without an end");
        if (*work->from == '[' || (work->from[0] == '&' && work->from[1] == '&'))
            return fail(work, "a class within a class");
        if (*work->from != '\\')
            copy(work, 1);
        else if (!translate_escape(work, true))
            return false;
    }
    copy(work, 1);
    return true;
}

/* In (?i:...) both know letters in two cases, but Oniguruma also letters that are two ("ss"). */
static bool translate_any_case(struct translation *work)
{
    static const char *const TWO[] = { "ss", "st", "ff", "fi", "fl" };
    const size_t length = strspn(work->from + 4,
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'|");
    char lower[80] = "";

    if (work->from[4 + length] != ')' || length >= sizeof lower)
        return fail(work, "a group (?i:...) of more than words");
    for (size_t i = 0; i < length; i++)
        lower[i] = (char)tolower((unsigned char)work->from[4 + i]);
    for (size_t i = 0; i < sizeof TWO / sizeof *TWO; i++)
        if (strstr(lower, TWO[i]) != NULL)
            return fail(work, "a group (?i:...) of letters that may be one");
    copy(work, 4 + length);
    return true;
}

static bool translate_group(struct translation *work)
{
    const char *after = work->from + 1;

    if (strncmp(after, "?i:", 3) == 0)
        return translate_any_case(work);
    if (*after == '*' || (*after == '?' && (after[1] == '\0' || strchr(":=!>", after[1]) == NULL)))
        return fail(work, "a group other than (...), (?:...), (?i:...), (?=...), (?!...), (?>...)");
    copy(work, *after == '?' ? 3 : 1);
    return true;
}

/* {n}, {n,}, {n,m}. */
static bool translate_count(struct translation *work)
{
    const size_t low = strspn(work->from + 1, "0123456789");
    size_t at = 1 + low;

    if (work->from[at] == ',')
        at += 1 + strspn(work->from + at + 1, "0123456789");
    if (low == 0 || work->from[at] != '}' || work->from[at + 1] == '+' || work->from[at + 1] == '?')
        return fail(work, "a count other than {n}, {n,} and {n,m}");
    copy(work, at + 1);
    return true;
}

static bool translate_next(struct translation *work)
{
    switch (*work->from) {
    case '\\': return translate_escape(work, false);
    case '[': return translate_class(work);
    case '(': return translate_group(work);
    case '{': return translate_count(work);
    case '.': case '^': case '$':
        return fail(work, "one of the signs . ^ $");
    default:
        copy(work, 1);
        return true;
    }
}

/* The same for PCRE2, or NULL and what was not understood.  Caller frees. */
static char *translate(const char *expression, const char **fault)
{
    char *made = allocate((long long)strlen(expression) + 1, sizeof SPACES + 3);
    struct translation work = { expression, made, NULL };

    while (*work.from != '\0' && translate_next(&work))
        ;
    *fault = work.fault;
    if (work.fault == NULL)
        return made;
    free(made);
    return NULL;
}

/* --- the pattern --------------------------------------------------------------------- */

static enum status compile(struct pattern *pattern, const char *expression, bool literal,
                           const char *written, const char *path)
{
    const uint32_t options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP);
    PCRE2_UCHAR reason[128];
    uint32_t empty = 0;
    size_t offset;
    int error;
    enum status st;

    pattern->code = pcre2_compile((PCRE2_SPTR)expression, PCRE2_ZERO_TERMINATED, options, &error,
                                  &offset, NULL);
    if (pattern->code == NULL) {
        pcre2_get_error_message(error, reason, sizeof reason);
        return refuse(E_FORMAT, "%s: the pattern \"%.200s\" is none: %s", path, written,
                      (const char *)reason);
    }
    pcre2_pattern_info(pattern->code, PCRE2_INFO_MATCHEMPTY, &empty);
    REQUIRE(empty == 0, E_FORMAT, "%s: the pattern \"%.200s\" also matches where there is no text",
            path, written);
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);   /* if it can; else it is slower */
    pattern->match = pcre2_match_data_create(1, NULL);
    if (pattern->match == NULL)
        die("no memory for the pattern of a tokenizer");
done:
    return st;
}

enum status pattern_make(struct pattern *pattern, const char *expression, bool literal,
                         const char *path)
{
    const char *fault = NULL;
    char *translated = literal ? NULL : translate(expression, &fault);
    enum status st;

    *pattern = (struct pattern){0};
    REQUIRE(fault == NULL, E_FORMAT, "%s: the pattern \"%.200s\" has %s, which is not supported",
            path, expression, fault);
    TRY(compile(pattern, literal ? expression : translated, literal, expression, path));
done:
    free(translated);
    return st;
}

void pattern_free(struct pattern *pattern)
{
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    *pattern = (struct pattern){0};
}

enum status pattern_find(const struct pattern *pattern, const char *text, int64_t bytes,
                         int64_t from, bool *found, int64_t *begin, int64_t *end)
{
    const int matched = pcre2_match(pattern->code, (PCRE2_SPTR)text, (size_t)bytes, (size_t)from,
                                    PCRE2_NO_UTF_CHECK, pattern->match, NULL);
    const size_t *place = pcre2_get_ovector_pointer(pattern->match);
    char reason[128];

    *found = matched >= 0;
    if (*found) {
        *begin = (int64_t)place[0];
        *end = (int64_t)place[1];
    }
    if (*found || matched == PCRE2_ERROR_NOMATCH)
        return OK;
    pcre2_get_error_message(matched, (PCRE2_UCHAR *)reason, sizeof reason);
    return refuse(E_FORMAT, "cannot cut a text of %lld bytes into words at byte %lld: %s",
                  (long long)bytes, (long long)from, reason);
}
