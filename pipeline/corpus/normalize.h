/* normalize.h -- what a tokenizer does to a text before it looks for words.
 *
 * A list of steps, one after the other; each takes the whole text.  Everything is Local. */
#ifndef NORMALIZE_H
#define NORMALIZE_H

#include <stdbool.h>
#include <stdint.h>

struct normal_step {
    enum {
        NORMAL_NFC,             /* Unicode's normalization form C */
        NORMAL_REPLACE,         /* each `from` by `to` */
        NORMAL_PREPEND,         /* `to` before a text, unless that is empty */
        NORMAL_MARK,            /* the same, unless it begins with `to` */
        NORMAL_MARK_FIRST,      /* the same, at the beginning of a document only */
    } kind;
    char *from, *to;
};

struct normalizer {
    int                 count;
    struct normal_step *steps;
};

/* Add a step; `from` and `to` are copied, and may be NULL where the step has none. */
void normalize_add(struct normalizer *normalizer, int kind, const char *from, const char *to);
void normalize_free(struct normalizer *normalizer);

/* The normal form of valid UTF-8, which is the beginning of a document if `first`.  Caller frees.
 * Time is linear in the bytes.
 *   normal_bytes  out */
char *normalize_text(const struct normalizer *normalizer, const char *text, int64_t bytes,
                     bool first, int64_t *normal_bytes);

#endif
