/* tokenizer.h -- text to token ids and back, as the model's own tokenizer does it.
 *
 * There are two kinds: SentencePiece models (tokenizer.model) and byte-pair encodings as Hugging
 * Face's tokenizers describe them (tokenizer.json; bpe.h).  Everything here is Local.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/file.h"

#include <stdbool.h>
#include <stdint.h>

struct tokenizer_kind;

struct tokenizer {
    const struct tokenizer_kind *kind;
    void   *model;
    int32_t vocabulary;         /* ids are below this */
    int32_t bos;                /* the id that it puts before a text; -1: it does not say */
    bool    marks_parts;        /* it puts a mark before each part of a text, not only the first */
    bool    byte_level;         /* its tokens are of bytes, not of characters */
};

/* The file of a checkpoint's tokenizer: `given`, unless it is empty; else tokenizer.model in the
 * folder, if there is one; else tokenizer.json. */
void tokenizer_path(char path[PATH_LENGTH], const char *given, const char *folder);

/* Load a tokenizer: a byte-pair encoding if the file ends in .json, else SentencePiece.
 * E_IO, E_FORMAT.  tokenizer_close() accepts one that was never opened. */
enum status tokenizer_open(struct tokenizer *tokenizer, const char *path);
void        tokenizer_close(struct tokenizer *tokenizer);

/* Ids of a text, without BOS.  A byte that is no part of a UTF-8 character counts as U+FFFD.
 *   ids, count  out; caller frees
 * E_FORMAT if a library refuses. */
enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t bytes,
                             int32_t **ids, int64_t *count);

/* The same of a part of a text that begins elsewhere, whose special tokens are found already: what
 * reads as one is text.  Not for tokenizers that mark parts or have no added tokens. */
enum status tokenizer_encode_part(const struct tokenizer *tokenizer, const char *text,
                                  int64_t bytes, int32_t **ids, int64_t *count);

/* The id of the added token with this text, or -1. */
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *name);

/* Text of some ids, terminated by a NUL that `bytes` does not count.  Caller frees.
 * E_FORMAT if an id is not in the vocabulary. */
enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                             int64_t count, char **text, int64_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
