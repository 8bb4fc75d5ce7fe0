/* special.h -- the special tokens of a model, settled where its files leave them open. */
#ifndef SPECIAL_H
#define SPECIAL_H

#include "corpus/tokenizer.h"
#include "shard/tokens.h"

/* Settle the special tokens.  Sequences begin with the id that the tokenizer's post-processor puts
 * first, or else with BOS of config.json, or else with EOS, which such models (OLMo 2) had between
 * documents.  A model without padding gets EOS for it: no token sees what comes after it.
 *   special    in and out: as config.json has them, -1 where it has none
 *   tokenizer  may be one that was never opened
 *   folder     of the model, for messages
 * Local.  E_FORMAT if no id can begin a sequence. */
enum status special_settle(struct special_tokens *special, const struct tokenizer *tokenizer,
                           const char *folder);

#endif
