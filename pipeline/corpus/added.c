#include "corpus/added.h"
#include "base/die.h"

#include <stdlib.h>
#include <string.h>

void added_add(struct added_tokens *tokens, struct added_token token)
{
    tokens->list = realloc(tokens->list, (size_t)(tokens->count + 1) * sizeof *tokens->list);
    char *copy = calloc((size_t)token.bytes + 1, 1);
    if (tokens->list == NULL || copy == NULL)
        die("no memory for a tokenizer");
    memcpy(copy, token.text, (size_t)token.bytes);
    token.text = copy;
    tokens->list[tokens->count++] = token;
    tokens->begins[(unsigned char)copy[0]] = true;
}

static int by_bytes(const void *a, const void *b)
{
    const struct added_token *x = a, *y = b;
    const int64_t common = x->bytes < y->bytes ? x->bytes : y->bytes;
    const int order = memcmp(x->text, y->text, (size_t)common);

    return order != 0 ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

void added_sort(struct added_tokens *tokens)
{
    if (tokens->count > 0)
        qsort(tokens->list, (size_t)tokens->count, sizeof *tokens->list, by_bytes);
}

void added_free(struct added_tokens *tokens)
{
    for (int i = 0; i < tokens->count; i++)
        free(tokens->list[i].text);
    free(tokens->list);
    *tokens = (struct added_tokens){0};
}

/* --- white space --------------------------------------------------------------------- */

/* Bytes of the character of Unicode's White_Space that a text begins with; 0: none. */
static int space_at(const char *text, int64_t bytes)
{
    static const char *const WIDE[] = {
        "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
        "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
        "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };

    if (bytes == 0)
        return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r'))
        return 1;
    for (size_t i = 0; i < sizeof WIDE / sizeof *WIDE; i++) {
        const size_t length = strlen(WIDE[i]);
        if ((size_t)bytes >= length && memcmp(text, WIDE[i], length) == 0)
            return (int)length;
    }
    return 0;
}

static int64_t spaces_after(const char *text, int64_t at, int64_t bytes)
{
    for (int length; (length = space_at(text + at, bytes - at)) > 0; )
        at += length;
    return at;
}

/* Where the white space begins that ends at `at`; not before `begin`. */
static int64_t spaces_before(const char *text, int64_t at, int64_t begin)
{
    while (at > begin) {
        int64_t before = at - 1;

        while (before > begin && ((unsigned char)text[before] & 0xc0) == 0x80)
            before--;
        if (space_at(text + before, at - before) != at - before)
            break;
        at = before;
    }
    return at;
}

/* --- in a text ----------------------------------------------------------------------- */

/* The first token from `low` on whose byte number `at` is `byte` or more; `high` if none is.  All
 * of them begin with the same `at` bytes. */
static int first_from(const struct added_token *list, int low, int high, int64_t at, int byte)
{
    while (low < high) {
        const int half = low + (high - low) / 2;

        if (list[half].bytes > at && (unsigned char)list[half].text[at] >= byte)
            high = half;
        else
            low = half + 1;
    }
    return low;
}

/* The longest token that a text begins with, or NULL. */
static const struct added_token *longest(const struct added_tokens *tokens, const char *text,
                                         int64_t bytes)
{
    const struct added_token *best = NULL;
    int low = 0, high = tokens->count;      /* these begin as the text does, up to byte `at` */

    for (int64_t at = 0; at < bytes && low < high; at++) {
        const int byte = (unsigned char)text[at];

        low = first_from(tokens->list, low, high, at, byte);
        high = first_from(tokens->list, low, high, at, byte + 1);
        if (low < high && tokens->list[low].bytes == at + 1)
            best = &tokens->list[low];
    }
    return best;
}

bool added_find(const struct added_tokens *tokens, const char *text, int64_t bytes, int64_t from,
                int64_t begin, bool special, struct added_match *match)
{
    for (int64_t at = from; at < bytes; at++) {
        const struct added_token *token = NULL;

        if (tokens->begins[(unsigned char)text[at]])
            token = longest(tokens, text + at, bytes - at);
        if (token == NULL)
            continue;
        match->id = token->id;
        match->next = at + token->bytes;
        match->begin = token->left ? spaces_before(text, at, begin) : at;
        match->end = token->right ? spaces_after(text, match->next, bytes) : match->next;
        if (special || !token->special)
            return true;
        at = match->next - 1;
    }
    return false;
}
