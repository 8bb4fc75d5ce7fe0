/* added.h -- added tokens: those that are found in a text as they are written.
 *
 * The first one in the text counts, and of several that begin there the longest, as in Hugging
 * Face's tokenizers.  One may take the white space next to it.  Everything is Local.
 */
#ifndef ADDED_H
#define ADDED_H

#include <stdbool.h>
#include <stdint.h>

struct added_token {
    char   *text;               /* and a NUL */
    int64_t bytes;
    int32_t id;
    bool    special;            /* it directs the model, as <end_of_turn>, and is no text */
    bool    left, right;        /* takes the white space before it, after it */
};

struct added_tokens {
    int                 count;
    struct added_token *list;           /* [count] once sorted, by their bytes */
    bool                begins[256];    /* does one begin with this byte? */
};

/* An added token in a text. */
struct added_match {
    int32_t id;
    int64_t begin, end;         /* with the white space that it takes */
    int64_t next;               /* where the search goes on */
};

/* Copies the token and its text, which is not empty.  After the last one: added_sort(). */
void added_add(struct added_tokens *tokens, struct added_token token);
void added_sort(struct added_tokens *tokens);
void added_free(struct added_tokens *tokens);

/* Find the next one at byte `from` or after it, special ones only if `special`.  It takes no white
 * space before byte `begin`. */
bool added_find(const struct added_tokens *tokens, const char *text, int64_t bytes, int64_t from,
                int64_t begin, bool special, struct added_match *match);

#endif
