#include "corpus/normalize.h"
#include "base/allocate.h"
#include "base/die.h"

#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

/* --- a growing text ------------------------------------------------------------------ */

struct growing {
    char   *bytes;
    int64_t count, capacity;
};

static void append(struct growing *to, const char *bytes, int64_t count)
{
    if (to->count + count > to->capacity) {
        to->capacity = 2 * (to->count + count);
        to->bytes = realloc(to->bytes, (size_t)to->capacity);
        if (to->bytes == NULL)
            die("no memory for a text of %lld bytes", (long long)to->capacity);
    }
    if (count > 0)
        memcpy(to->bytes + to->count, bytes, (size_t)count);
    to->count += count;
}

/* --- steps --------------------------------------------------------------------------- */

static void compose(struct growing *to, const char *text, int64_t bytes)
{
    size_t count;
    uint8_t *made = u8_normalize(UNINORM_NFC, (const uint8_t *)text, (size_t)bytes, NULL, &count);

    if (made == NULL)
        die("no memory to normalize %lld bytes", (long long)bytes);
    append(to, (const char *)made, (int64_t)count);
    free(made);
}

/* A character of ASCII is never changed by what is before it, but may be by what follows: so the
 * text is cut before each one that another follows. */
static void add_nfc(struct growing *to, const char *text, int64_t bytes)
{
    int64_t begin = 0;

    for (int64_t at = 0; at < bytes; at++) {
        if ((unsigned char)text[at] < 0x80)
            continue;
        const int64_t from = at > begin ? at - 1 : at;
        append(to, text + begin, from - begin);
        while (at < bytes && (unsigned char)text[at] >= 0x80)
            at++;
        compose(to, text + from, at - from);
        begin = at;
    }
    if (begin < bytes)
        append(to, text + begin, bytes - begin);
}

static void add_replaced(struct growing *to, const char *text, int64_t bytes,
                         const struct normal_step *step)
{
    const size_t length = strlen(step->from);
    const char *end = text + bytes, *found;

    while ((found = memmem(text, (size_t)(end - text), step->from, length)) != NULL) {
        append(to, text, found - text);
        append(to, step->to, (int64_t)strlen(step->to));
        text = found + length;
    }
    append(to, text, end - text);
}

static bool begins(const char *text, int64_t bytes, const char *with)
{
    const size_t length = strlen(with);

    return (size_t)bytes >= length && memcmp(text, with, length) == 0;
}

static void add_step(struct growing *to, const char *text, int64_t bytes, bool first,
                     const struct normal_step *step)
{
    switch (step->kind) {
    case NORMAL_NFC:
        add_nfc(to, text, bytes);
        return;
    case NORMAL_REPLACE:
        add_replaced(to, text, bytes, step);
        return;
    case NORMAL_PREPEND:
    case NORMAL_MARK:
    case NORMAL_MARK_FIRST:
        if (bytes > 0 && (step->kind != NORMAL_MARK_FIRST || first)
            && (step->kind == NORMAL_PREPEND || !begins(text, bytes, step->to)))
            append(to, step->to, (int64_t)strlen(step->to));
        append(to, text, bytes);
        return;
    }
}

/* --- all of them --------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);

    if (text != NULL && copy == NULL)
        die("no memory for a tokenizer");
    return copy;
}

void normalize_add(struct normalizer *normalizer, int kind, const char *from, const char *to)
{
    normalizer->steps = realloc(normalizer->steps,
                                (size_t)(normalizer->count + 1) * sizeof *normalizer->steps);
    if (normalizer->steps == NULL)
        die("no memory for a tokenizer");
    normalizer->steps[normalizer->count++] = (struct normal_step){ .kind = kind,
                                                                   .from = copy_of(from),
                                                                   .to = copy_of(to) };
}

void normalize_free(struct normalizer *normalizer)
{
    for (int i = 0; i < normalizer->count; i++) {
        free(normalizer->steps[i].from);
        free(normalizer->steps[i].to);
    }
    free(normalizer->steps);
    *normalizer = (struct normalizer){0};
}

char *normalize_text(const struct normalizer *normalizer, const char *text, int64_t bytes,
                     bool first, int64_t *normal_bytes)
{
    struct growing made = {0}, next;

    append(&made, text, bytes);
    for (int i = 0; i < normalizer->count; i++) {
        next = (struct growing){0};
        add_step(&next, made.bytes, made.count, first, &normalizer->steps[i]);
        free(made.bytes);
        made = next;
    }
    *normal_bytes = made.count;
    return made.bytes;
}
