/* A thin shim around libsentencepiece. */
extern "C" {
#include "base/allocate.h"
}
#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using sentencepiece::SentencePieceProcessor;

static const SentencePieceProcessor *processor(const void *model)
{
    return static_cast<const SentencePieceProcessor *>(model);
}

static enum status encode(const void *model, const char *text, int64_t bytes, int32_t **ids,
                          int64_t *count)
{
    std::vector<int> found;
    const auto done = processor(model)->Encode({ text, static_cast<size_t>(bytes) }, &found);

    if (!done.ok())
        return refuse(E_FORMAT, "cannot tokenize a text of %lld bytes: %s",
                      static_cast<long long>(bytes), done.ToString().c_str());
    *count = static_cast<int64_t>(found.size());
    *ids = static_cast<int32_t *>(allocate(*count, sizeof **ids));
    for (size_t i = 0; i < found.size(); i++)
        (*ids)[i] = found[i];
    return OK;
}

static enum status decode(const void *model, const int32_t *ids, int64_t count, char **text,
                          int64_t *bytes)
{
    std::string found;
    const auto done = processor(model)->Decode(std::vector<int>(ids, ids + count), &found);

    if (!done.ok())
        return refuse(E_FORMAT, "cannot decode %lld token ids: %s",
                      static_cast<long long>(count), done.ToString().c_str());
    *bytes = static_cast<int64_t>(found.size());
    *text = static_cast<char *>(allocate(*bytes + 1, 1));
    std::memcpy(*text, found.data(), found.size());
    return OK;
}

static void close_model(void *model)
{
    delete processor(model);
}

enum status sentencepiece_open(struct tokenizer *tokenizer, const char *path)
{
    static const struct tokenizer_kind KIND = { encode, decode, close_model };
    auto *model = new SentencePieceProcessor;
    const auto loaded = model->Load(path);

    if (!loaded.ok()) {
        delete model;
        return refuse(E_FORMAT, "cannot load the tokenizer %s: %s", path,
                      loaded.ToString().c_str());
    }
    *tokenizer = { &KIND, model, model->GetPieceSize() };
    return OK;
}
