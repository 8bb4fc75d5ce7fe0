#include "base/utf8.h"
#include "base/allocate.h"
#include "base/refuse.h"

#include <string.h>

int utf8_length(const char *text, int64_t bytes)
{
    const unsigned char *c = (const unsigned char *)text;
    const int length = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3
                       : c[0] < 0xf5 ? 4 : 0;

    if (length > bytes)
        return 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    /* An overlong form, a surrogate, or beyond U+10FFFF. */
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0)
        || (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90))
        return 0;
    return length;
}

/* Copy the text; only measure the copy if `clean` is NULL. */
static int64_t clean_into(char *clean, const char *text, int64_t bytes)
{
    int64_t written = 0;

    for (int64_t at = 0; at < bytes; ) {
        const int length = utf8_length(text + at, bytes - at);

        if (clean != NULL)
            memcpy(clean + written, length > 0 ? text + at : "\xef\xbf\xbd",
                   length > 0 ? (size_t)length : 3);
        written += length > 0 ? length : 3;
        at += length > 0 ? length : 1;
    }
    return written;
}

char *utf8_clean(const char *text, int64_t bytes, int64_t *clean_bytes)
{
    char *clean;

    *clean_bytes = clean_into(NULL, text, bytes);
    clean = allocate(*clean_bytes + 1, 1);
    clean_into(clean, text, bytes);
    return clean;
}
