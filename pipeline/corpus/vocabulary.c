#include "corpus/vocabulary.h"
#include "base/allocate.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The slot of a text, or the empty slot where the text belongs. */
static int32_t *slot_of(const struct vocabulary *vocabulary, const char *text, int64_t bytes)
{
    for (uint64_t at = XXH3_64bits(text, (size_t)bytes);; at++) {
        int32_t *slot = &vocabulary->slots[at & vocabulary->mask];
        const struct token *token = &vocabulary->tokens[*slot < 0 ? 0 : *slot];

        if (*slot < 0
            || (token->bytes == bytes && memcmp(token->text, text, (size_t)bytes) == 0))
            return slot;
    }
}

void vocabulary_index(struct vocabulary *vocabulary)
{
    vocabulary->mask = 15;
    while (vocabulary->mask < 2 * (uint64_t)vocabulary->count)
        vocabulary->mask = 2 * vocabulary->mask + 1;
    vocabulary->slots = allocate((long long)vocabulary->mask + 1, sizeof *vocabulary->slots);
    for (uint64_t i = 0; i <= vocabulary->mask; i++)
        vocabulary->slots[i] = -1;
    for (int32_t id = 0; id < vocabulary->count; id++) {
        const struct token *token = &vocabulary->tokens[id];
        if (token->text != NULL)
            *slot_of(vocabulary, token->text, token->bytes) = id;
    }
}

void vocabulary_free(struct vocabulary *vocabulary)
{
    for (int32_t id = 0; vocabulary->tokens != NULL && id < vocabulary->count; id++) {
        free(vocabulary->tokens[id].text);
        free(vocabulary->tokens[id].shown);
    }
    free(vocabulary->tokens);
    free(vocabulary->slots);
    *vocabulary = (struct vocabulary){0};
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, int64_t bytes)
{
    return *slot_of(vocabulary, text, bytes);
}
