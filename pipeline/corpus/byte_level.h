/* byte_level.h -- GPT-2's tokenizer: byte-pair encoding of bytes.
 *
 * A pattern cuts the text into words; the symbols of a word are its bytes, which are merged
 * (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2;
 * the pattern and the names of bytes are those of OpenAI's encoder.py).  Added tokens, such as
 * <|endoftext|>, are found in the text as they are written, the longest first, as in Hugging
 * Face's tokenizers.
 *
 * byte_level.c encodes and decodes, byte_level_read.c reads tokenizer.json.
 */
#ifndef BYTE_LEVEL_H
#define BYTE_LEVEL_H

#include "base/refuse.h"
#include "corpus/merges.h"

#include <stdbool.h>

/* The bytes of one token. */
struct piece {
    char   *bytes;              /* NULL: no token has this id */
    int64_t count;
};

struct byte_level {
    int32_t       vocabulary;       /* ids are below this */
    struct piece *pieces;           /* [vocabulary] */
    int32_t       bytes[256];       /* ids of the single bytes */
    struct merges merges;
    int32_t      *added;            /* [added_count] ids of the added tokens */
    int32_t       added_count;
    bool          added_begin[256]; /* does an added token begin with this byte? */
    void         *pattern;          /* compiled pattern of words */
};

/* Fill all but the pattern from a tokenizer.json.  Local.  E_IO; E_FORMAT with what must be
 * there.  Call byte_level_free() in any case. */
enum status byte_level_read(struct byte_level *model, const char *path);
void        byte_level_free(struct byte_level *model);

#endif
