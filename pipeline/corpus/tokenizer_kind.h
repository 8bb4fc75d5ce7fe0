/* tokenizer_kind.h -- the functions of each kind of tokenizer.  Everything is Local. */
#ifndef TOKENIZER_KIND_H
#define TOKENIZER_KIND_H

#include "base/refuse.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tokenizer;

/* As the functions of tokenizer.h; ids to decode are in the vocabulary. */
struct tokenizer_kind {
    /* `whole`: a document; else a part of a chat (tokenizer_encode_part). */
    enum status (*encode)(const void *model, const char *text, int64_t bytes, bool whole,
                          int32_t **ids, int64_t *count);
    enum status (*decode)(const void *model, const int32_t *ids, int64_t count, char **text,
                          int64_t *bytes);
    int32_t     (*find)(const void *model, const char *name);   /* NULL: it finds none */
    void        (*close)(void *model);
};

/* Fill an empty tokenizer, or leave it empty.  E_IO, E_FORMAT. */
enum status sentencepiece_open(struct tokenizer *tokenizer, const char *path);
/* Where to cut a text so that its parts, of about `most` bytes, give the ids of the whole: the
 * bytes of the first part.  All of them, if the text is short, or the model does more than to
 * merge. */
int64_t     sentencepiece_cut(const void *model, const char *text, int64_t bytes, int64_t most);
enum status bpe_open(struct tokenizer *tokenizer, const char *path);

#ifdef __cplusplus
}
#endif

#endif
