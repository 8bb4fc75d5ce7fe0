/* utf8.h -- make valid UTF-8 of any bytes. */
#ifndef UTF8_H
#define UTF8_H

#include <stdint.h>

/* The length in bytes of the UTF-8 character (RFC 3629) at the start of `text`; 0 if there is no
 * valid one.  bytes > 0. */
int utf8_length(const char *text, int64_t bytes);

/* A copy in which U+FFFD replaces each byte that is not part of a valid UTF-8 character.
 *   clean_bytes  out
 * Caller frees. */
char *utf8_clean(const char *text, int64_t bytes, int64_t *clean_bytes);

#endif
