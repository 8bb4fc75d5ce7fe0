/* ordinals.h -- classes of words that come in an order: days, months, letters, numbers.
 *
 * A file is a JSON object with a member for each class:
 *
 *   "days": {"cyclic": true, "words": [" Monday", " Tuesday", ...]}
 *   "numbers": {"first": 1, "words": [" 1", " 2", ...]}
 *
 * Words are as the model meets them, with their space.  In a cyclic class the first word comes
 * after the last.  `first` is the number, from 0, that the first word means (1 unless the file
 * says otherwise); each next word means one more.  Words that this tokenizer divides are left out,
 * and so are pairs of which one word is missing.  Everything here is Local.
 */
#ifndef ORDINALS_H
#define ORDINALS_H

#include "corpus/tokenizer.h"

struct ordinal_class {
    char    *name;
    bool     cyclic;
    int64_t  first;         /* number of the first word */
    int32_t  length;        /* words of the class */
    int32_t  count;         /* those that are one token: */
    int32_t *id;            /* [count] */
    int32_t *place;         /* [count] in the class, from 0; ascending */
};

struct ordinals {
    struct ordinal_class *classes;
    int32_t               count;
};

/* ordinals_free() is due after a failure, too.  E_IO; E_FORMAT if the file is not as above, a word
 * occurs twice in a class, or less than two words of a class are tokens. */
enum status ordinals_read(struct ordinals *ordinals, const char *path,
                          const struct tokenizer *tokenizer);
void        ordinals_free(struct ordinals *ordinals);

/* How many words a file has in all, and its longest class, tokens or not: 0 if it is no such
 * file. */
void ordinals_count(const char *path, int64_t *words, int64_t *longest);

/* Which of the tokens comes after token i; -1 if none. */
int32_t ordinals_successor(const struct ordinal_class *class, int32_t i);

/* Which of the tokens means this number; -1 if none. */
int32_t ordinals_find(const struct ordinal_class *class, int64_t number);

/* The number that token i means. */
int64_t ordinals_number(const struct ordinal_class *class, int32_t i);

#endif
