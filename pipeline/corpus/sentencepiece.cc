/* A thin shim around libsentencepiece.
 *
 * The library takes about 170 bytes of memory for a byte of text.  So long texts are cut, where no
 * piece of the vocabulary could reach across: between two characters that are next to each other in
 * no piece, the merges on one side know nothing of the other. */
extern "C" {
#include "base/allocate.h"
#include "base/die.h"
#include "base/utf8.h"
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

/* Bytes of text that the library gets at a time. */
static const int64_t PART_BYTES = 1 << 20;

struct pieces_model {
    SentencePieceProcessor processor;
    bool plain;                 /* it adds and removes nothing at the ends of a text */
    bool alone[256];            /* is this character a piece? */
    bool joined[256][256];      /* does some piece have these two bytes next to each other? */
};

static const SentencePieceProcessor *processor(const void *model)
{
    return &static_cast<const pieces_model *>(model)->processor;
}

/* ---- where to cut ---------------------------------------------------------------- */

/* A piece as text: its spaces are written U+2581. */
static std::string piece_text(std::string piece)
{
    for (size_t at; (at = piece.find("\xe2\x96\x81")) != std::string::npos; )
        piece.replace(at, 3, " ");
    return piece;
}

static void learn_cuts(pieces_model *model)
{
    static const char PROBE[] = " a  b c ";
    const SentencePieceProcessor &pieces = model->processor;
    std::vector<std::string> found;
    std::string again;

    if (!pieces.Encode(PROBE, &found).ok())
        return;
    for (const auto &piece : found)
        again += piece_text(piece);
    model->plain = again == PROBE;
    for (int id = 0; id < pieces.GetPieceSize(); id++) {
        const std::string piece = piece_text(pieces.IdToPiece(id));

        if (piece.size() == 1 && !pieces.IsUnknown(id) && !pieces.IsControl(id)
            && !pieces.IsUnused(id))
            model->alone[static_cast<unsigned char>(piece[0])] = true;
        for (size_t i = 1; i < piece.size(); i++)
            model->joined[static_cast<unsigned char>(piece[i - 1])]
                         [static_cast<unsigned char>(piece[i])] = true;
    }
}

/* Both sides must be characters by themselves, and pieces, which the library neither changes nor
 * makes one unknown with their neighbours.  U+2581, which stands for a space, begins with 0xe2. */
static bool may_cut(const pieces_model *model, const char *text, int64_t bytes, int64_t at)
{
    const unsigned char left = static_cast<unsigned char>(text[at - 1]);
    const unsigned char right = static_cast<unsigned char>(text[at]);

    return left < 0x80 && model->alone[left] && !model->joined[left][right] && right != 0xe2
        && (right < 0x80 ? model->alone[right]
                         : left == '\n' && utf8_length(text + at, bytes - at) > 0);
}

int64_t sentencepiece_cut(const void *of, const char *text, int64_t bytes, int64_t most)
{
    const auto *model = static_cast<const pieces_model *>(of);

    if (!model->plain || bytes <= most)
        return bytes;
    for (int64_t at = most; at > 0; at--)
        if (may_cut(model, text, bytes, at))
            return at;
    for (int64_t at = most + 1; at < bytes; at++)
        if (may_cut(model, text, bytes, at))
            return at;
    return bytes;
}

/* ---- text to ids and back -------------------------------------------------------- */

static void append(int32_t **ids, int64_t *count, const std::vector<int> &found)
{
    const size_t all = static_cast<size_t>(*count) + found.size();
    auto *grown = static_cast<int32_t *>(std::realloc(*ids, (all + 1) * sizeof **ids));

    if (grown == nullptr)
        die("no memory for %zu token ids", all);
    *ids = grown;
    for (const int id : found)
        grown[(*count)++] = id;
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
    int64_t at = 0;

    do {
        const int64_t part = sentencepiece_cut(model, text + at, bytes - at, PART_BYTES);
        std::vector<int> found;
        const auto done = processor(model)->Encode({ text + at, static_cast<size_t>(part) },
                                                   &found);
        if (!done.ok())
            return refuse(E_FORMAT, "cannot tokenize a text of %lld bytes: %s",
                          static_cast<long long>(bytes), done.ToString().c_str());
        append(ids, count, found);
        at += part;
    } while (at < bytes);
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

static enum status encode(const void *model, const char *text, int64_t bytes, bool whole,
                          int32_t **ids, int64_t *count)
{
    (void)whole;
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
    delete static_cast<pieces_model *>(model);
}

static enum status load(struct tokenizer *tokenizer, const char *path)
{
    static const struct tokenizer_kind KIND = { encode, decode, nullptr, close_model };
    auto model = std::make_unique<pieces_model>();
    const auto loaded = model->processor.Load(path);

    if (!loaded.ok())
        return refuse(E_FORMAT, "cannot load the tokenizer %s: %s", path,
                      loaded.ToString().c_str());
    const int pieces = model->processor.GetPieceSize();
    learn_cuts(model.get());
    *tokenizer = { &KIND, model.release(), pieces, -1, true, false };
    return OK;
}

enum status sentencepiece_open(struct tokenizer *tokenizer, const char *path)
{
    return guarded("load the tokenizer", [=] { return load(tokenizer, path); });
}
