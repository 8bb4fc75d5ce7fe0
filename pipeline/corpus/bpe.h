/* bpe.h -- byte-pair encoding, as a tokenizer.json of Hugging Face's tokenizers describes it.
 *
 * A text goes through these steps:
 *   added tokens are found in it                                        (added.h)
 *   what is between them is brought into a normal form                  (normalize.h)
 *   added tokens are found in that, if the file calls them "normalized"
 *   the rest is cut into words by patterns                              (pattern.h)
 *   the symbols of a word are merged                                    (merges.h)
 * Symbols are bytes in a byte-level encoding (GPT-2, Llama 3, Qwen), and else characters (Gemma,
 * Mistral); a character that is no token becomes tokens for its bytes.  What a file asks for and is
 * not done here is refused by its name.
 *
 * bpe.c encodes and decodes, bpe_read.c reads tokens, bpe_steps.c the steps.
 */
#ifndef BPE_H
#define BPE_H

#include "base/refuse.h"
#include "corpus/added.h"
#include "corpus/merges.h"
#include "corpus/normalize.h"
#include "corpus/pattern.h"
#include "corpus/vocabulary.h"

#include <jansson.h>

/* A text is cut where a pattern matches: into the matches and what is between them. */
struct bpe_split {
    struct pattern pattern;
    bool matches, others;       /* which of both are kept */
    bool joined;                /* a match is one piece with what is before it */
};

struct bpe {
    struct vocabulary   vocabulary;
    struct merges       merges;
    struct added_tokens added, added_normal;    /* sought in the text, and in its normal form */
    struct normalizer   normal, mark;           /* before and after the latter are found */
    int                 splits_count;
    struct bpe_split   *splits;                 /* [splits_count] each cuts the last one's pieces */
    bool                byte_level;             /* symbols are bytes */
    bool                whole_words;            /* a word that is a token is not merged */
    bool                strip;                  /* decoding drops a space at the beginning */
    bool                joined[256][256];       /* does a merge join two such bytes? */
    int32_t             bytes[256];             /* ids of single bytes */
    int32_t             bos;                    /* what a text begins with; -1: nothing */
};

/* Read a tokenizer.json into an empty one.  Call bpe_free() in any case.  Local.  E_IO; E_FORMAT
 * with what must be there, or is not supported. */
enum status bpe_read(struct bpe *bpe, const char *path);
void        bpe_free(struct bpe *bpe);

/* Of bpe_read(): normalizer, pre_tokenizer, post_processor and decoder of the file, but for added
 * tokens.  Sets byte_level. */
enum status bpe_steps_read(struct bpe *bpe, const json_t *root, const char *path);

/* Null, false, "" or absent. */
bool bpe_steps_is_nothing(const json_t *value);

#endif
