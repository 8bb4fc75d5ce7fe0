#include "lm/tokenizer.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using sentencepiece::SentencePieceProcessor;

static const SentencePieceProcessor *model_of(const struct tokenizer *tokenizer)
{
    return static_cast<const SentencePieceProcessor *>(tokenizer->model);
}

enum status tokenizer_open(struct tokenizer *tokenizer, const char *path)
{
    *tokenizer = {};
    auto *model = new SentencePieceProcessor;
    const auto loaded = model->Load(path);

    if (!loaded.ok()) {
        delete model;
        return refuse(E_FORMAT, "cannot load the tokenizer %s: %s", path,
                      loaded.ToString().c_str());
    }
    *tokenizer = { model, model->GetPieceSize(), model->bos_id(), model->eos_id(),
                   model->pad_id() };
    return OK;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    delete model_of(tokenizer);
    *tokenizer = {};
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, int64_t bytes,
                             int32_t **ids, int64_t *count)
{
    std::vector<int> found;
    const auto done = model_of(tokenizer)->Encode({text, static_cast<size_t>(bytes)}, &found);

    *ids = nullptr;
    *count = 0;
    if (!done.ok())
        return refuse(E_FORMAT, "cannot tokenize a text of %lld bytes: %s",
                      static_cast<long long>(bytes), done.ToString().c_str());
    *count = static_cast<int64_t>(found.size());
    *ids = static_cast<int32_t *>(allocate(*count, sizeof **ids));
    for (size_t i = 0; i < found.size(); i++)
        (*ids)[i] = found[i];
    return OK;
}

enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                             int64_t count, char **text, int64_t *bytes)
{
    std::string found;

    *text = nullptr;
    *bytes = 0;
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= tokenizer->vocabulary)
            return refuse(E_FORMAT, "token id %d is not in the tokenizer's vocabulary of %d",
                          ids[i], tokenizer->vocabulary);
    const auto done = model_of(tokenizer)->Decode(std::vector<int>(ids, ids + count), &found);
    if (!done.ok())
        return refuse(E_FORMAT, "cannot decode %lld token ids: %s",
                      static_cast<long long>(count), done.ToString().c_str());
    *bytes = static_cast<int64_t>(found.size());
    *text = static_cast<char *>(allocate(*bytes + 1, 1));
    std::memcpy(*text, found.data(), found.size());
    return OK;
}
