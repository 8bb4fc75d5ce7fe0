#include "corpus/json_member.h"

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* Arrays and objects in each other. */
enum { DEPTH_MAX = 512 };

struct scan {
    char       *at, *end;
    const char *fault;          /* the first one; NULL: none */
};

static bool skip_value(struct scan *scan, int depth);

static bool fail(struct scan *scan, const char *fault)
{
    if (scan->fault == NULL)
        scan->fault = scan->at == scan->end ? "it ends too early" : fault;
    return false;
}

/* The character that comes next, NUL at the end. */
static char peek(const struct scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) != NULL && *scan->at != '\0')
        scan->at++;
}

static bool skip_sign(struct scan *scan, char sign, const char *fault)
{
    if (peek(scan) != sign)
        return fail(scan, fault);
    scan->at++;
    return true;
}

static bool skip_word(struct scan *scan, const char *word)
{
    const size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return fail(scan,
                    "a value is neither a string, number, object, array, true, false nor null");
    scan->at += length;
    return true;
}

/* What follows a backslash. */
static bool skip_escape(struct scan *scan)
{
    const char kind = peek(scan);

    if (kind == '\0' || strchr("\"\\/bfnrtu", kind) == NULL)
        return fail(scan, "a string has an unknown escape");
    scan->at++;
    for (int i = 0; kind == 'u' && i < 4; i++, scan->at++)
        if (!isxdigit((unsigned char)peek(scan)))
            return fail(scan, "a string has an unknown escape");
    return true;
}

static bool skip_string(struct scan *scan)
{
    if (!skip_sign(scan, '"', "a name of a member is missing"))
        return false;
    while (scan->at < scan->end && *scan->at != '"') {
        const char c = *scan->at;

        if ((unsigned char)c < 0x20)
            return fail(scan, "a string holds a control character");
        scan->at++;
        if (c == '\\' && !skip_escape(scan))
            return false;
    }
    return skip_sign(scan, '"', "a string does not end");
}

static bool skip_digits(struct scan *scan)
{
    if (!isdigit((unsigned char)peek(scan)))
        return fail(scan, "a number is not well-formed");
    while (isdigit((unsigned char)peek(scan)))
        scan->at++;
    return true;
}

/* Of any size; or NaN, Infinity, -Infinity. */
static bool skip_number(struct scan *scan)
{
    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == 'I')
        return skip_word(scan, "Infinity");
    if (peek(scan) == '0')
        scan->at++;
    else if (!skip_digits(scan))
        return false;
    if (peek(scan) == '.') {
        scan->at++;
        if (!skip_digits(scan))
            return false;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        return skip_digits(scan);
    }
    return true;
}

static bool skip_array(struct scan *scan, int depth)
{
    scan->at++;
    skip_space(scan);
    if (peek(scan) == ']') {
        scan->at++;
        return true;
    }
    while (skip_value(scan, depth)) {
        skip_space(scan);
        if (peek(scan) != ',')
            return skip_sign(scan, ']', "an array lacks a comma or its end");
        scan->at++;
    }
    return false;
}

/* Is this, a string as it is written, that name? */
static bool is_name(const char *string, int64_t bytes, const char *name)
{
    const size_t length = strlen(name);
    json_t *decoded = NULL;
    bool same;

    if (memchr(string, '\\', (size_t)bytes) == NULL)
        return (size_t)bytes == length + 2 && memcmp(string + 1, name, length) == 0;
    decoded = json_loadb(string, (size_t)bytes, JSON_DECODE_ANY, NULL);
    same = decoded != NULL && strcmp(json_string_value(decoded), name) == 0;
    json_decref(decoded);
    return same;
}

/* `name` NULL: nothing is asked for. */
static bool skip_object(struct scan *scan, int depth, const char *name, struct json_value *value)
{
    if (!skip_sign(scan, '{', "it is not a JSON object"))
        return false;
    skip_space(scan);
    if (peek(scan) == '}') {
        scan->at++;
        return true;
    }
    for (;;) {
        skip_space(scan);
        char *const key = scan->at;
        if (!skip_string(scan))
            return false;
        const int64_t key_bytes = scan->at - key;
        skip_space(scan);
        if (!skip_sign(scan, ':', "a member lacks its colon"))
            return false;
        skip_space(scan);
        char *const begin = scan->at;
        if (!skip_value(scan, depth))
            return false;
        if (name != NULL && is_name(key, key_bytes, name))
            *value = (struct json_value){ begin, scan->at - begin };
        skip_space(scan);
        if (peek(scan) != ',')
            return skip_sign(scan, '}', "an object lacks a comma or its end");
        scan->at++;
    }
}

static bool skip_value(struct scan *scan, int depth)
{
    skip_space(scan);
    if (depth == DEPTH_MAX)
        return fail(scan, "more than 512 arrays and objects lie in each other");
    switch (peek(scan)) {
    case '{': return skip_object(scan, depth + 1, NULL, NULL);
    case '[': return skip_array(scan, depth + 1);
    case '"': return skip_string(scan);
    case 't': return skip_word(scan, "true");
    case 'f': return skip_word(scan, "false");
    case 'n': return skip_word(scan, "null");
    case 'N': return skip_word(scan, "NaN");
    case 'I': case '-': return skip_number(scan);
    default:
        return isdigit((unsigned char)peek(scan)) ? skip_number(scan) : skip_word(scan, "null");
    }
}

const char *json_member_find(struct json_value *value, char *text, int64_t bytes,
                             const char *name)
{
    struct scan scan = { text, text + bytes, NULL };

    *value = (struct json_value){0};
    skip_space(&scan);
    if (!skip_object(&scan, 1, name, value))
        return scan.fault;
    skip_space(&scan);
    return scan.at == scan.end ? NULL : "something follows its end";
}

/* The number that four hexadecimal digits write. */
static unsigned hex4(const char *digits)
{
    unsigned number = 0;

    for (int i = 0; i < 4; i++) {
        const int digit = tolower((unsigned char)digits[i]);
        number = number << 4 | (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return number;
}

void json_member_mend(struct json_value value)
{
    char *const end = value.at + value.bytes;

    for (char *at = value.at; at < end; at++) {
        if (*at != '\\')
            continue;
        at++;
        if (*at != 'u')
            continue;
        const unsigned unit = hex4(at + 1);
        const bool pair = unit >> 10 == 0xd800 >> 10 && end - at >= 11 && at[5] == '\\'
                          && at[6] == 'u' && hex4(at + 7) >> 10 == 0xdc00 >> 10;
        if (unit >> 11 == 0xd800 >> 11 && !pair)
            memcpy(at + 1, "fffd", 4);
        at += pair ? 10 : 4;
    }
}
