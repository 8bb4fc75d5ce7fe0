/* pattern.h -- the regular expressions by which a tokenizer.json cuts text into words.
 *
 * They are written for Oniguruma, and run by PCRE2.  What both understand alike is taken as it is;
 * \s, which means other characters to each, is written out as Unicode's White_Space; all else is
 * refused by name.  Everything is Local.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "base/refuse.h"

#include <stdbool.h>
#include <stdint.h>

struct pattern {
    void *code, *match;         /* PCRE2's */
};

/* Compile a regular expression, or a text that stands for itself if `literal`.  pattern_free()
 * accepts {0}.  E_FORMAT, which names the file `path`. */
enum status pattern_make(struct pattern *pattern, const char *expression, bool literal,
                         const char *path);
void        pattern_free(struct pattern *pattern);

/* Find the first match in valid UTF-8, at byte `from` or after it: *found, from *begin to *end,
 * which is never empty.  Not for several threads at the same time.  E_FORMAT if PCRE2 gives up. */
enum status pattern_find(const struct pattern *pattern, const char *text, int64_t bytes,
                         int64_t from, bool *found, int64_t *begin, int64_t *end);

#endif
