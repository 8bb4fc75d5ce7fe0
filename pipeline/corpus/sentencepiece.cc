/* A thin shim around libsentencepiece. */
extern "C" {
#include "base/allocate.h"
}
#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

using sentencepiece::SentencePieceProcessor;

static const SentencePieceProcessor *processor(const void *model)
{
    return static_cast<const SentencePieceProcessor *>(model);
}

/* Call a function of the library.  What it throws must not reach C: nothing there can catch it, and
 * the program would end without a sentence. */
template <typename Call>
static enum status guarded(const char *what, Call call)
{
    try {
        return call();
    } catch (const std::bad_alloc &) {
        return refuse(E_SPACE, "cannot %s: there is no memory for it", what);
    } catch (const std::exception &error) {
        return refuse(E_FORMAT, "cannot %s: %s", what, error.what());
    } catch (...) {
        return refuse(E_FORMAT, "cannot %s: libsentencepiece fails without a reason", what);
    }
}

static enum status encode_text(const void *model, const char *text, int64_t bytes, int32_t **ids,
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

static enum status decode_ids(const void *model, const int32_t *ids, int64_t count, char **text,
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

static enum status encode(const void *model, const char *text, int64_t bytes, int32_t **ids,
                          int64_t *count)
{
    return guarded("tokenize a text",
                   [=] { return encode_text(model, text, bytes, ids, count); });
}

static enum status decode(const void *model, const int32_t *ids, int64_t count, char **text,
                          int64_t *bytes)
{
    return guarded("decode token ids",
                   [=] { return decode_ids(model, ids, count, text, bytes); });
}

static void close_model(void *model)
{
    delete processor(model);
}

static enum status load(struct tokenizer *tokenizer, const char *path)
{
    static const struct tokenizer_kind KIND = { encode, decode, close_model };
    auto model = std::make_unique<SentencePieceProcessor>();
    const auto loaded = model->Load(path);

    if (!loaded.ok())
        return refuse(E_FORMAT, "cannot load the tokenizer %s: %s", path,
                      loaded.ToString().c_str());
    const int pieces = model->GetPieceSize();
    *tokenizer = { &KIND, model.release(), pieces };
    return OK;
}

enum status sentencepiece_open(struct tokenizer *tokenizer, const char *path)
{
    return guarded("load the tokenizer", [=] { return load(tokenizer, path); });
}
