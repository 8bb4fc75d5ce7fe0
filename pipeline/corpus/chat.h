/* chat.h -- conversations as instruction-tuned models read them.
 *
 * A document is a list of messages, {"role": ..., "content": ...}.  Each becomes a turn, as the
 * makers of the models tell:
 *
 *   gemma    ai.google.dev/gemma/docs/core/prompt-structure; a system's message begins the next
 *            user's turn
 *   llama3   Meta's model card of Llama 3, and ChatFormat of their own code
 *   chatml   Qwen's documentation; no system's message is made up where there is none
 *   mistral  docs.mistral.ai, "Tokenization", V3 and V3-Tekken; a system's message begins the last
 *            user's turn
 *
 * The tokens of a template come from the template alone: a content that spells <start_of_turn> is
 * text.  Contents are tokenized by themselves, as Meta's and Mistral's own code does it.
 * Everything here is Local.
 */
#ifndef CHAT_H
#define CHAT_H

#include "corpus/tokenizer.h"
#include "suite/suite.h"

#include <jansson.h>

struct chat {
    const struct tokenizer *tokenizer;
    enum chat_format        format;
    bool     kept[ROLES];       /* whose tokens are kept */
    char    *text;              /* the conversation read last, as it is written; has `bytes` */
    int64_t  bytes, capacity;
    int32_t *ids;               /* [count] its ids, those not kept by tokens_unkept() */
    int64_t  count, ids_capacity;
};

/* What is wrong with a list of messages, as "has a message without a role", or NULL. */
const char *chat_fault(const json_t *messages);

/* For a suite with corpus.chat.  `tokenizer` must outlive it.  chat_close() accepts {0}.
 * E_USAGE if the tokenizer lacks a token of the template, or cannot take parts of a text. */
enum status chat_open(struct chat *chat, const struct suite_corpus *corpus,
                      const struct tokenizer *tokenizer);
void        chat_close(struct chat *chat);

/* Make text and ids of messages without fault; they are valid until the next call.  E_FORMAT. */
enum status chat_read(struct chat *chat, const json_t *messages);

#endif
