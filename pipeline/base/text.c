#include "base/text.h"
#include "base/allocate.h"
#include "base/die.h"

#include <stdlib.h>
#include <string.h>

struct text {
    char  **bytes;
    size_t *length, capacity;
};

static void grow(struct text *text, size_t needed)
{
    while (text->capacity < needed)
        text->capacity *= 2;
    *text->bytes = realloc(*text->bytes, text->capacity);
    if (*text->bytes == NULL)
        die("no memory for a text of %zu bytes", text->capacity);
}

static ssize_t add(void *cookie, const char *bytes, size_t count)
{
    struct text *text = cookie;

    if (*text->length + count + 1 > text->capacity)
        grow(text, *text->length + count + 1);
    memcpy(*text->bytes + *text->length, bytes, count);
    *text->length += count;
    (*text->bytes)[*text->length] = '\0';
    return (ssize_t)count;
}

static int leave(void *cookie)
{
    free(cookie);
    return 0;
}

FILE *text_open(char **bytes, size_t *length)
{
    struct text *text = allocate(1, sizeof *text);

    *text = (struct text){ .bytes = bytes, .length = length, .capacity = 64 };
    *bytes = allocate((long long)text->capacity, 1);
    *length = 0;
    FILE *out = fopencookie(text, "w", (cookie_io_functions_t){ .write = add, .close = leave });
    if (out == NULL)
        die("no memory for a text");
    return out;
}

void text_close(FILE *out)
{
    if (fclose(out) != 0)
        die("no memory for a text");
}

long text_line(char **line, size_t *capacity, FILE *in)
{
    const ssize_t bytes = getline(line, capacity, in);

    if (bytes < 0 && !feof(in) && !ferror(in))
        die("no memory for a line of more than %zu bytes", *capacity);
    return bytes;
}
