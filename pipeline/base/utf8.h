/* utf8.h -- UTF-8 out of any bytes. */
#ifndef UTF8_H
#define UTF8_H

#include <stdint.h>

/* Bytes of the UTF-8 character that `text` begins with, 0 if it begins with none (RFC 3629).
 * bytes > 0. */
int utf8_length(const char *text, int64_t bytes);

/* A copy in which U+FFFD stands for each byte that is no part of a UTF-8 character.
 *   clean_bytes  out
 * Caller frees. */
char *utf8_clean(const char *text, int64_t bytes, int64_t *clean_bytes);

#endif
