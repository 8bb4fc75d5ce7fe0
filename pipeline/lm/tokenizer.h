/* tokenizer.h -- text to token ids and back, with a SentencePiece model.
 *
 * A thin shim around libsentencepiece, for C.  Everything here is Local.
 */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h"

#include <stdint.h>

struct tokenizer {
    void   *model;
    int32_t vocabulary;         /* ids are below this */
    int32_t bos, eos, pad;      /* -1: the model has none */
};

/* Load a tokenizer.model.  E_IO, E_FORMAT. */
enum status tokenizer_open(struct tokenizer *tokenizer, const char *path);
void        tokenizer_close(struct tokenizer *tokenizer);

/* Ids of a text, no BOS added.  Any bytes will do: what is not UTF-8 counts as U+FFFD.
 *   ids, count  out; caller frees
 * E_FORMAT if the library refuses. */
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
