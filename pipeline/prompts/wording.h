/* wording.h -- texts of prompts as the token ids of a model. */
#ifndef WORDING_H
#define WORDING_H

#include "corpus/tokenizer.h"
#include "lm/config.h"
#include "suite/suite.h"

struct wording {
    struct tokenizer tokenizer;     /* kind NULL: the checkpoint has none */
    char    path[PATH_LENGTH];      /* of the tokenizer's file */
    int32_t bos;                    /* begins every prompt (corpus/special.h) */
    int32_t pad;                    /* follows the shorter ones */
    int32_t vocabulary;             /* of the model; ids are below */
};

/* Open the tokenizer of the suite's model, if there is one: prompts that are ids need none.
 * wording_close() accepts what was never opened.  Everything here is Local.  E_IO, E_FORMAT;
 * E_USAGE if the tokenizer has more ids than the model. */
enum status wording_open(struct wording *wording, const struct suite *suite,
                         const struct lm_config *config);
void        wording_close(struct wording *wording);

/* Some ids.  The caller frees `ids`. */
struct wording_ids {
    int32_t *ids;
    int64_t  count;
};

/* The ids of a prompt, BOS once before them.  E_IO if there is no tokenizer; E_FORMAT. */
enum status wording_of_prompt(struct wording_ids *prompt, const struct wording *wording,
                              const char *text);

/* Put BOS before ids that do not begin with it.  Takes and gives ids that the caller frees. */
void wording_begin(struct wording_ids *prompt, const struct wording *wording);

/* The ids that `word` adds at the end of the text `before`; a word usually begins with a space.
 * None if the tokenizer joins the two.  As wording_of_prompt(). */
enum status wording_of_next(struct wording_ids *next, const struct wording *wording,
                            const char *before, const char *word);

/* A text; the caller frees it. */
struct wording_text {
    char   *at;
    int64_t bytes;
};

/* The texts of a prompt without BOS, and of what follows it.  They are valid UTF-8, although tokens
 * may end within a character. */
enum status wording_texts(struct wording_text *prompt, struct wording_text *added,
                          const struct wording *wording, const struct wording_ids *prompt_ids,
                          const struct wording_ids *added_ids);

/* "Al|exan|dria": the texts of some ids, for messages.  Caller frees. */
char *wording_pieces(const struct wording *wording, const struct wording_ids *ids);

#endif
