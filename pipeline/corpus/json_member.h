/* json_member.h -- find one member of a JSON object without decoding the others.
 *
 * Lines of a corpus hold more than the text: hashes of 64 bits, scores that are NaN, halves of
 * an emoji.  What is not asked for only has to be well-formed; NaN and Infinity, which several
 * programs write, pass.  Everything here is Local, and takes time linear in the bytes.
 */
#ifndef JSON_MEMBER_H
#define JSON_MEMBER_H

#include <stdint.h>

/* A value as it is written; `bytes` 0 if the object has no such member. */
struct json_value {
    char   *at;
    int64_t bytes;
};

/* Find member `name` of the object that `text` is: of several the last, as JSON's readers do.
 * Returns NULL, or what is wrong, as "a string does not end".
 *   value  out  points into the text */
const char *json_member_find(struct json_value *value, char *text, int64_t bytes,
                             const char *name);

/* In a JSON string make U+FFFD of escapes that are half of a character (surrogates alone). */
void json_member_mend(struct json_value value);

#endif
