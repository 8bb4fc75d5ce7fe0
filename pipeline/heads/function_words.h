/* function_words.h -- tokens that stand for no thing: "the", "of", a comma.
 *
 * A file is a JSON list of words and token ids: ["the", "of", ",", 2047].  A word means all tokens
 * whose text is the word, with a space before it or not, in small letters or not.
 */
#ifndef FUNCTION_WORDS_H
#define FUNCTION_WORDS_H

#include "corpus/tokenizer.h"

/* Mark them.
 *   is [vocabulary]  out: of the model
 * Local.  E_IO; E_FORMAT if the file is no such list, or has an id that the model does not know. */
enum status function_words_read(bool *is, int32_t vocabulary, const char *path,
                                const struct tokenizer *tokenizer);

#endif
