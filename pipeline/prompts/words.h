/* words.h -- the lists of words and templates of a generator, and draws from them.  Local. */
#ifndef WORDS_H
#define WORDS_H

#include "prompts/wording.h"

#include <jansson.h>

/* Words that are one token each after a space. */
struct words_list {
    char  *name;                /* "PLACE" */
    char **word;                /* [count] */
    int    count;
};

struct words {
    const char *path;           /* of the file, for messages */
    json_t     *file;           /* owns the templates */
    struct words_list *lists;   /* [count] */
    int         count;
};

/* Read the file, and leave out words that are several tokens, or refuse them, as it says.
 * words_free() is due after a failure, too.  E_IO; E_FORMAT. */
enum status words_read(struct words *words, const struct wording *wording, const char *path);
void        words_free(struct words *words);

/* The list of a name with at least `least` words.  E_FORMAT. */
enum status words_find(const struct words_list **list, const struct words *words, const char *name,
                       int least);

/* The templates: at least one, all of them texts.  E_FORMAT. */
enum status words_count_templates(int *count, const struct words *words);

/* Draws, one after the other; the draws of one prompt do not depend on those of others. */
struct words_draws {
    uint64_t seed;
    uint64_t next;
};

struct words_draws words_draws_of(uint64_t seed, int64_t prompt);

/* A number from 0 to below - 1, all alike. */
int words_draw(struct words_draws *draws, int below);

/* A word of a list that is none of the first `count` of `others`. */
const char *words_draw_other(struct words_draws *draws, const struct words_list *list,
                             const char *const *others, int count);

/* What replaces a slot: its name without brackets, and a word. */
struct words_filling {
    const char *slot, *word;
};

/* A template with each slot filled: by the first filling of its name that is not used up, each but
 * the last of a name being used once.  Caller frees.  E_FORMAT if a slot has no filling. */
enum status words_fill(char **text, const struct words *words, int template,
                       const struct words_filling *fillings, int count);

/* Draw a word for each list of the file that is not called `but`.
 *   fillings [words->count]  out
 * Returns how many. */
int words_draw_fillings(struct words_filling *fillings, const struct words *words, const char *but,
                        struct words_draws *draws);

#endif
