#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"

#include <stddef.h>

void tokenizer_path(char path[PATH_LENGTH], const char *given, const char *folder)
{
    if (given[0] != '\0') {
        path_print(path, "%s", given);
        return;
    }
    path_print(path, "%s/tokenizer.model", folder);
    if (!file_exists(path))
        path_print(path, "%s/tokenizer.json", folder);
}

enum status tokenizer_open(struct tokenizer *tokenizer, const char *path)
{
    enum status st = OK;

    *tokenizer = (struct tokenizer){0};
    REQUIRE(file_exists(path), E_IO, "there is no tokenizer %s; a checkpoint's folder should hold "
            "a tokenizer.model or tokenizer.json, or model.tokenizer should name one", path);
    TRY(path_ends(path, ".json") ? bpe_open(tokenizer, path)
                                 : sentencepiece_open(tokenizer, path));
done:
    return st;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (tokenizer->kind != NULL)
        tokenizer->kind->close(tokenizer->model);
    *tokenizer = (struct tokenizer){0};
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t bytes,
                             int32_t **ids, int64_t *count)
{
    *ids = NULL;
    *count = 0;
    return tokenizer->kind->encode(tokenizer->model, text, bytes, true, ids, count);
}

enum status tokenizer_encode_part(const struct tokenizer *tokenizer, const char *text,
                                  int64_t bytes, int32_t **ids, int64_t *count)
{
    *ids = NULL;
    *count = 0;
    return tokenizer->kind->encode(tokenizer->model, text, bytes, false, ids, count);
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *name)
{
    return tokenizer->kind->find == NULL ? -1 : tokenizer->kind->find(tokenizer->model, name);
}

enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                             int64_t count, char **text, int64_t *bytes)
{
    enum status st = OK;

    *text = NULL;
    *bytes = 0;
    for (int64_t i = 0; i < count; i++)
        REQUIRE(0 <= ids[i] && ids[i] < tokenizer->vocabulary, E_FORMAT, "token id %d is not in "
                "the tokenizer's vocabulary of %d", ids[i], tokenizer->vocabulary);
    TRY(tokenizer->kind->decode(tokenizer->model, ids, count, text, bytes));
done:
    return st;
}
