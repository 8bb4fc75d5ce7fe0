/* tokenizer.h -- text to token ids and back, as the model's own tokenizer does it.
 *
 * There are two kinds: SentencePiece models (Gemma's tokenizer.model) and byte-level byte-pair
 * encoding (GPT-2's tokenizer.json).  Everything here is Local.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/file.h"

#include <stdint.h>

struct tokenizer_kind;

struct tokenizer {
    const struct tokenizer_kind *kind;
    void   *model;
    int32_t vocabulary;         /* ids are below this */
};

/* The file of a checkpoint's tokenizer: `given`, unless it is empty; else tokenizer.model in the
 * folder, if there is one; else tokenizer.json. */
void tokenizer_path(char path[PATH_LENGTH], const char *given, const char *folder);

/* Load a tokenizer: byte-level byte-pair encoding if the file ends in .json, else SentencePiece.
 * E_IO, E_FORMAT.  tokenizer_close() accepts one that was never opened. */
enum status tokenizer_open(struct tokenizer *tokenizer, const char *path);
void        tokenizer_close(struct tokenizer *tokenizer);

/* Ids of a text, without BOS.  A byte that is no part of a UTF-8 character counts as U+FFFD.
 *   ids, count  out; caller frees
 * E_FORMAT if a library refuses. */
enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t bytes,
                             int32_t **ids, int64_t *count);

/* Text of some ids, terminated by a NUL that `bytes` does not count.  Caller frees.
 * E_FORMAT if an id is not in the vocabulary. */
enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                             int64_t count, char **text, int64_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
