/* vocabulary.h -- the tokens of a byte-pair encoding, by id and by text.  Everything is Local. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include <stdbool.h>
#include <stdint.h>

struct token {
    char   *text;               /* what is merged to this token; NULL: nothing is */
    int64_t bytes;              /* of it */
    char   *shown;              /* what it is decoded to; NULL: no token has this id */
    int64_t shown_bytes;
    bool    is_byte;            /* it stands for one byte of a character, <0xHH> */
};

struct vocabulary {
    int32_t       count;        /* ids are below this */
    struct token *tokens;       /* [count] */
    int32_t      *slots;        /* hash table of ids by text, -1 where empty */
    uint64_t      mask;
};

/* Make the hash table, once the tokens have their texts.  vocabulary_free() frees all texts, and
 * accepts a vocabulary without a table. */
void vocabulary_index(struct vocabulary *vocabulary);
void vocabulary_free(struct vocabulary *vocabulary);

/* The id of the token with this text, or -1. */
int32_t vocabulary_find(const struct vocabulary *vocabulary, const char *text, int64_t bytes);

#endif
