#include "heads/function_words.h"
#include "base/allocate.h"
#include "base/json_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

/* The text of a token without the space before it.  Caller frees; NULL: the id has none. */
static char *text_of(const struct tokenizer *tokenizer, int32_t id)
{
    char *text = NULL;
    int64_t bytes;

    if (tokenizer_decode(tokenizer, &id, 1, &text, &bytes) != OK) {
        refuse_clear();
        return NULL;
    }
    if (text[0] == ' ')
        for (char *c = text; *c != '\0'; c++)
            c[0] = c[1];
    return text;
}

/* Mark the tokens of all words of the list. */
static void mark_words(bool *is, const json_t *list, const struct tokenizer *tokenizer)
{
    const json_t *item;
    size_t i;

    for (int32_t id = 0; id < tokenizer->vocabulary; id++) {
        char *text = text_of(tokenizer, id);
        json_array_foreach(list, i, item)
            if (text != NULL && json_is_string(item)
                && strcasecmp(text, json_string_value(item)) == 0)
                is[id] = true;
        free(text);
    }
}

static enum status mark_ids(bool *is, int32_t vocabulary, const json_t *list, const char *path)
{
    const json_t *item;
    size_t i;
    enum status st = OK;

    json_array_foreach(list, i, item) {
        const json_int_t id = json_integer_value(item);
        REQUIRE(json_is_string(item) || json_is_integer(item), E_FORMAT, "%s: item %d is neither a "
                "word nor a token id", path, (int)i + 1);
        REQUIRE(0 <= id && id < vocabulary, E_FORMAT, "%s has the id %lld, but the model knows %d",
                path, (long long)id, (int)vocabulary);
        if (json_is_integer(item))
            is[id] = true;
    }
done:
    return st;
}

enum status function_words_read(bool *is, int32_t vocabulary, const char *path,
                                const struct tokenizer *tokenizer)
{
    json_t *list = NULL;
    enum status st;

    TRY(json_file_read(&list, path));
    REQUIRE(json_is_array(list), E_FORMAT, "%s must be a JSON list of words and token ids", path);
    TRY(mark_ids(is, vocabulary, list, path));
    if (tokenizer->kind != NULL)
        mark_words(is, list, tokenizer);
done:
    json_decref(list);
    return st;
}
