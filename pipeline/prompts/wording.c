#include "prompts/wording.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/text.h"
#include "base/utf8.h"
#include "corpus/special.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status wording_open(struct wording *wording, const struct suite *suite,
                         const struct lm_config *config)
{
    struct special_tokens special = { config->bos, config->eos, config->pad };
    enum status st = OK;

    *wording = (struct wording){ .vocabulary = config->vocabulary };
    tokenizer_path(wording->path, suite->model.tokenizer, suite->model.path);
    if (file_exists(wording->path))
        TRY(tokenizer_open(&wording->tokenizer, wording->path));
    REQUIRE(wording->tokenizer.vocabulary <= config->vocabulary, E_USAGE, "tokenizer %s has %d "
            "ids, but the model in %s knows %d: they do not belong together", wording->path,
            wording->tokenizer.vocabulary, suite->model.path, config->vocabulary);
    TRY(special_settle(&special, &wording->tokenizer, suite->model.path));
    wording->bos = special.bos;
    wording->pad = special.pad;
done:
    return st;
}

void wording_close(struct wording *wording)
{
    tokenizer_close(&wording->tokenizer);
    *wording = (struct wording){0};
}

static enum status encode(struct wording_ids *ids, const struct wording *wording, const char *text)
{
    enum status st;

    *ids = (struct wording_ids){0};
    REQUIRE(wording->tokenizer.kind != NULL, E_IO, "prompts are texts, but there is no tokenizer "
            "%s; a checkpoint's folder should hold a tokenizer.model or tokenizer.json, or "
            "model.tokenizer should name one", wording->path);
    TRY(tokenizer_encode(&wording->tokenizer, text, (int64_t)strlen(text), &ids->ids,
                         &ids->count));
done:
    return st;
}

void wording_begin(struct wording_ids *prompt, const struct wording *wording)
{
    if (prompt->count > 0 && prompt->ids[0] == wording->bos)
        return;
    int32_t *ids = allocate(prompt->count + 1, sizeof *ids);
    ids[0] = wording->bos;
    if (prompt->count > 0)
        memcpy(ids + 1, prompt->ids, (size_t)prompt->count * sizeof *ids);
    free(prompt->ids);
    prompt->ids = ids;
    prompt->count++;
}

enum status wording_of_prompt(struct wording_ids *prompt, const struct wording *wording,
                              const char *text)
{
    const enum status st = encode(prompt, wording, text);

    if (st == OK)
        wording_begin(prompt, wording);
    return st;
}

enum status wording_of_next(struct wording_ids *next, const struct wording *wording,
                            const char *before, const char *word)
{
    struct wording_ids all = {0}, first = {0};
    char *text;
    enum status st;

    *next = (struct wording_ids){0};
    if (asprintf(&text, "%s%s", before, word) < 0)
        die("no memory for a prompt");
    TRY(encode(&first, wording, before));
    TRY(encode(&all, wording, text));
    if (first.count < all.count
        && (first.count == 0
            || memcmp(first.ids, all.ids, (size_t)first.count * sizeof *all.ids) == 0)) {
        next->count = all.count - first.count;
        next->ids = allocate(next->count, sizeof *next->ids);
        memcpy(next->ids, all.ids + first.count, (size_t)next->count * sizeof *next->ids);
    }
done:
    free(first.ids);
    free(all.ids);
    free(text);
    return st;
}

enum status wording_texts(struct wording_text *prompt, struct wording_text *added,
                          const struct wording *wording, const struct wording_ids *prompt_ids,
                          const struct wording_ids *added_ids)
{
    const int64_t first = prompt_ids->count - 1, count = added_ids->count;
    int32_t *ids = allocate(first + count + 1, sizeof *ids);
    char *all = NULL, *start = NULL;
    int64_t bytes, start_bytes;
    enum status st;

    *prompt = *added = (struct wording_text){0};
    if (first > 0)
        memcpy(ids, prompt_ids->ids + 1, (size_t)first * sizeof *ids);
    if (count > 0)
        memcpy(ids + first, added_ids->ids, (size_t)count * sizeof *ids);
    TRY(tokenizer_decode(&wording->tokenizer, ids, first, &start, &start_bytes));
    TRY(tokenizer_decode(&wording->tokenizer, ids, first + count, &all, &bytes));
    if (bytes < start_bytes || memcmp(all, start, (size_t)start_bytes) != 0)
        start_bytes = 0;
    prompt->at = utf8_clean(all, start_bytes, &prompt->bytes);
    added->at = utf8_clean(all + start_bytes, bytes - start_bytes, &added->bytes);
done:
    free(start);
    free(all);
    free(ids);
    return st;
}

char *wording_pieces(const struct wording *wording, const struct wording_ids *ids)
{
    char *pieces, *piece;
    size_t length;
    int64_t bytes;
    FILE *out = text_open(&pieces, &length);

    for (int64_t i = 0; i < ids->count; i++) {
        if (tokenizer_decode(&wording->tokenizer, &ids->ids[i], 1, &piece, &bytes) == OK)
            fprintf(out, "%s%s", i > 0 ? "|" : "", piece);
        refuse_clear();
        free(piece);
    }
    text_close(out);
    return pieces;
}
