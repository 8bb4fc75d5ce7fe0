/* tokenizer.json, the form of Hugging Face's tokenizers. */
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"
#include "base/utf8.h"
#include "corpus/byte_level.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A tokenizer.json being read. */
struct reader {
    const char *path;
    json_t     *root, *vocab;
};

/* --- its kind ------------------------------------------------------------------------ */

static bool is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value)
           || (json_is_string(value) && json_string_length(value) == 0);
}

static bool is_type(const json_t *object, const char *type)
{
    const char *found = json_string_value(json_object_get(object, "type"));

    return found != NULL && strcmp(found, type) == 0;
}

/* Refuse settings by which the same text would become other tokens. */
static enum status check_kind(const struct reader *file)
{
    static const char *const OFF[] = { "dropout", "continuing_subword_prefix",
                                       "end_of_word_suffix", "byte_fallback", "ignore_merges" };
    const json_t *model = json_object_get(file->root, "model");
    const json_t *before = json_object_get(file->root, "pre_tokenizer");
    const json_t *type = json_object_get(model, "type");
    enum status st = OK;

    REQUIRE(json_is_object(model) && (type == NULL || is_type(model, "BPE"))
            && is_type(before, "ByteLevel") && !json_is_false(json_object_get(before, "use_regex")),
            E_FORMAT, "%s is no byte-level byte-pair encoding like GPT-2's (\"model\" of type "
            "\"BPE\", \"pre_tokenizer\" of type \"ByteLevel\"); for Gemma take tokenizer.model",
            file->path);
    REQUIRE(is_nothing(json_object_get(file->root, "normalizer")), E_FORMAT,
            "%s: \"normalizer\" must be null", file->path);
    REQUIRE(is_nothing(json_object_get(before, "add_prefix_space")), E_FORMAT,
            "%s: \"add_prefix_space\" must be false", file->path);
    for (size_t i = 0; i < sizeof OFF / sizeof *OFF; i++)
        REQUIRE(is_nothing(json_object_get(model, OFF[i])), E_FORMAT,
                "%s: \"%s\" of the \"model\" must be null or absent", file->path, OFF[i]);
done:
    return st;
}

/* --- names of tokens ----------------------------------------------------------------- */

/* A token's name has a character for each byte.  U+0021 to U+007E, U+00A1 to U+00AC and U+00AE to
 * U+00FF stand for the bytes of the same number; U+0100 and above for the other bytes, in order. */
static bool is_own_name(int byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

/* The byte that a character stands for, or -1. */
static int byte_named(int character)
{
    int next = 0x100;

    if (character < 0x100)
        return is_own_name(character) ? character : -1;
    for (int byte = 0; byte < 0x100; byte++)
        if (!is_own_name(byte) && next++ == character)
            return byte;
    return -1;
}

/* The bytes that a name of the vocabulary spells.  All characters are of one or two bytes. */
static enum status spell(struct piece *piece, const char *name, const struct reader *file)
{
    const int64_t length = (int64_t)strlen(name);
    enum status st = OK;

    piece->bytes = allocate(length + 1, 1);
    for (int64_t at = 0, step; at < length; at += step) {
        const unsigned char *c = (const unsigned char *)name + at;

        step = utf8_length(name + at, length - at);
        const int byte = step > 2 ? -1
                       : byte_named(step == 1 ? c[0] : (c[0] & 31) << 6 | (c[1] & 63));
        REQUIRE(byte >= 0, E_FORMAT, "%s: the token \"%.40s\" has a character that stands for no "
                "byte", file->path, name);
        piece->bytes[piece->count++] = (char)byte;
    }
done:
    return st;
}

/* --- the vocabulary ------------------------------------------------------------------ */

static enum status read_id(int32_t *id, const json_t *value, const char *name,
                           const struct reader *file)
{
    enum status st = OK;

    REQUIRE(json_is_integer(value) && 0 <= json_integer_value(value)
            && json_integer_value(value) < MERGES_MAX, E_FORMAT, "%s: the token \"%.40s\" needs an "
            "\"id\" from 0 to %d", file->path, name, MERGES_MAX - 1);
    *id = (int32_t)json_integer_value(value);
done:
    return st;
}

static enum status read_added(int32_t *id, const char **name, const json_t *entry,
                              const struct reader *file)
{
    static const char *const OFF[] = { "single_word", "lstrip", "rstrip" };
    enum status st = OK;

    *name = json_string_value(json_object_get(entry, "content"));
    REQUIRE(!is_nothing(json_object_get(entry, "content")) && *name != NULL, E_FORMAT,
            "%s: each of \"added_tokens\" needs a \"content\"", file->path);
    for (size_t i = 0; i < sizeof OFF / sizeof *OFF; i++)
        REQUIRE(is_nothing(json_object_get(entry, OFF[i])), E_FORMAT, "%s: \"%s\" of the added "
                "token \"%.40s\" must be false", file->path, OFF[i], *name);
    TRY(read_id(id, json_object_get(entry, "id"), *name, file));
done:
    return st;
}

/* Find the largest id, and allocate the pieces. */
static enum status count_ids(struct byte_level *model, const struct reader *file)
{
    const json_t *added = json_object_get(file->root, "added_tokens"), *entry;
    const char *name;
    json_t *value;
    int32_t id;
    size_t i;
    enum status st = OK;

    json_object_foreach(file->vocab, name, value) {
        TRY(read_id(&id, value, name, file));
        model->vocabulary = id >= model->vocabulary ? id + 1 : model->vocabulary;
    }
    json_array_foreach(added, i, entry) {
        TRY(read_added(&id, &name, entry, file));
        model->vocabulary = id >= model->vocabulary ? id + 1 : model->vocabulary;
    }
    model->pieces = allocate(model->vocabulary, sizeof *model->pieces);
    model->added = allocate((long long)json_array_size(added), sizeof *model->added);
done:
    return st;
}

/* The names of added tokens are their bytes, also if the vocabulary has them, too. */
static enum status read_added_tokens(struct byte_level *model, const struct reader *file)
{
    const json_t *added = json_object_get(file->root, "added_tokens"), *entry;
    const char *name;
    int32_t id;
    size_t i;
    enum status st = OK;

    json_array_foreach(added, i, entry) {
        TRY(read_added(&id, &name, entry, file));
        REQUIRE(model->pieces[id].bytes == NULL, E_FORMAT,
                "%s: two of \"added_tokens\" have the id %d", file->path, id);
        model->pieces[id] = (struct piece){ strdup(name), (int64_t)strlen(name) };
        if (model->pieces[id].bytes == NULL)
            die("no memory for a token");
        model->added[model->added_count++] = id;
        model->added_begin[(unsigned char)name[0]] = true;
    }
done:
    return st;
}

static enum status read_vocabulary(struct byte_level *model, const struct reader *file)
{
    const char *name;
    json_t *value;
    enum status st = OK;

    json_object_foreach(file->vocab, name, value) {
        struct piece *piece = &model->pieces[json_integer_value(value)];

        if (piece->bytes == NULL)
            TRY(spell(piece, name, file));
        else
            REQUIRE(strcmp(piece->bytes, name) == 0, E_FORMAT,
                    "%s: the token \"%.40s\" has the id of another", file->path, name);
    }
    for (int byte = 0; byte < 256; byte++)
        model->bytes[byte] = -1;
    for (int32_t id = 0; id < model->vocabulary; id++)
        if (model->pieces[id].count == 1)
            model->bytes[(unsigned char)model->pieces[id].bytes[0]] = id;
    for (int byte = 0; byte < 256; byte++)
        REQUIRE(model->bytes[byte] >= 0, E_FORMAT,
                "%s: no token of the \"vocab\" is the byte 0x%02x alone", file->path, byte);
done:
    return st;
}

/* --- merges -------------------------------------------------------------------------- */

/* "a b", or ["a", "b"].  The names fit, since both are no longer than the vocabulary's. */
static bool read_pair(const json_t *entry, const char **left, size_t *left_length,
                      const char **right)
{
    if (json_is_array(entry) && json_array_size(entry) == 2) {
        *left = json_string_value(json_array_get(entry, 0));
        *right = json_string_value(json_array_get(entry, 1));
        *left_length = *left == NULL ? 0 : strlen(*left);
        return *left != NULL && *right != NULL;
    }
    *left = json_string_value(entry);
    *right = *left == NULL ? NULL : strchr(*left, ' ');
    if (*right == NULL)
        return false;
    *left_length = (size_t)(*right - *left);
    *right += 1;
    return true;
}

static int32_t id_of(const struct reader *file, const char *name)
{
    const json_t *value = json_object_get(file->vocab, name);

    return value == NULL ? -1 : (int32_t)json_integer_value(value);
}

static enum status read_merge(struct merge *merge, const struct reader *file, const json_t *entry,
                              size_t number)
{
    const char *left = NULL, *right = NULL;
    size_t length = 0;
    char *name;
    enum status st = OK;

    REQUIRE(read_pair(entry, &left, &length, &right), E_FORMAT, "%s: number %zu of \"merges\" is "
            "not two tokens", file->path, number);
    name = allocate((long long)(length + strlen(right)) + 1, 1);
    memcpy(name, left, length);
    merge->left = id_of(file, name);
    merge->right = id_of(file, right);
    strcpy(name + length, right);
    merge->made = id_of(file, name);
    free(name);
    REQUIRE(merge->left >= 0 && merge->right >= 0 && merge->made >= 0, E_FORMAT, "%s: number %zu "
            "of \"merges\" needs a token that is not in the \"vocab\"", file->path, number);
done:
    return st;
}

static enum status read_merges(struct merges *merges, const struct reader *file)
{
    const json_t *list = json_object_get(json_object_get(file->root, "model"), "merges"), *entry;
    size_t i;
    enum status st = OK;

    REQUIRE(json_is_array(list) && json_array_size(list) < MERGES_MAX, E_FORMAT,
            "%s: the \"model\" needs a list \"merges\"", file->path);
    merges->count = (int64_t)json_array_size(list);
    merges->list = allocate(merges->count, sizeof *merges->list);
    json_array_foreach(list, i, entry)
        TRY(read_merge(&merges->list[i], file, entry, i));
    merges_index(merges);
done:
    return st;
}

/* --- the file ------------------------------------------------------------------------ */

enum status byte_level_read(struct byte_level *model, const char *path)
{
    struct reader file = { .path = path };
    json_error_t error;
    char *bytes = NULL;
    int64_t size;
    enum status st;

    *model = (struct byte_level){0};
    TRY(file_read(path, &bytes, &size));
    file.root = json_loadb(bytes, (size_t)size, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(file.root != NULL, E_FORMAT, "%s is not JSON: line %d: %s", path, error.line,
            error.text);
    TRY(check_kind(&file));
    file.vocab = json_object_get(json_object_get(file.root, "model"), "vocab");
    TRY(count_ids(model, &file));
    TRY(read_added_tokens(model, &file));
    TRY(read_vocabulary(model, &file));
    TRY(read_merges(&model->merges, &file));
done:
    json_decref(file.root);
    free(bytes);
    return st;
}

void byte_level_free(struct byte_level *model)
{
    for (int32_t id = 0; model->pieces != NULL && id < model->vocabulary; id++)
        free(model->pieces[id].bytes);
    free(model->pieces);
    free(model->added);
    merges_free(&model->merges);
    *model = (struct byte_level){0};
}
