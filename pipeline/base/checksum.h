/* checksum.h -- text files that end with a checksum of themselves.
 *
 * It is the SHA-256 of all bytes before the ending, in 64 digits.  The ending of a text of lines
 * is a line more,
 *
 *     # SHA-256 0123...cdef
 *
 * and that of a JSON object, as jansson indents it by 1, one member more, the last:
 *
 *     ,
 *      "sha256": "0123...cdef"
 *     }
 *
 * Everything here is Local.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include "base/refuse.h"

#include <stdint.h>

enum { CHECKSUM_LINE = 76 };    /* bytes of the line, with its NUL */

/* The line that ends this text. */
void checksum_line(char line[CHECKSUM_LINE], const char *text, int64_t bytes);

/* Check the line that ends the text of the file `path`, and cut it off: a NUL takes its place.
 * E_FORMAT if there is none, or another one. */
enum status checksum_cut(char *text, int64_t *bytes, const char *path);

/* A JSON object, which ends with "\n}", with the member.  Caller frees. */
char *checksum_json(const char *object);

/* Check the member that ends the text of the file `path`.  E_FORMAT as above. */
enum status checksum_check_json(const char *text, int64_t bytes, const char *path);

#endif
