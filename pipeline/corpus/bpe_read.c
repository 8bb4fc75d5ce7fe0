/* The tokens of a tokenizer.json. */
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"
#include "base/utf8.h"
#include "corpus/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tokenizer.json being read. */
struct reader {
    const char *path;
    json_t     *root, *model, *vocab;
};

/* --- the model ----------------------------------------------------------------------- */

/* Refuse settings by which the same text would become other tokens. */
static enum status check_model(const struct reader *file, const struct bpe *bpe)
{
    static const char *const OFF[] = { "dropout", "continuing_subword_prefix",
                                       "end_of_word_suffix" };
    const json_t *type = json_object_get(file->model, "type");
    enum status st = OK;

    REQUIRE(json_is_object(file->model) && json_is_object(file->vocab), E_FORMAT,
            "%s is no tokenizer: it needs a \"model\" with a \"vocab\" of tokens and their ids",
            file->path);
    REQUIRE(type == NULL || (json_is_string(type) && strcmp(json_string_value(type), "BPE") == 0),
            E_FORMAT, "%s: a \"model\" of type \"%.40s\" is not supported, but \"BPE\" is; for "
            "Gemma take tokenizer.model", file->path,
            json_is_string(type) ? json_string_value(type) : "?");
    for (size_t i = 0; i < sizeof OFF / sizeof *OFF; i++)
        REQUIRE(bpe_steps_is_nothing(json_object_get(file->model, OFF[i])), E_FORMAT,
                "%s: \"%s\" of the \"model\" must be null or absent", file->path, OFF[i]);
    REQUIRE(bpe->byte_level || json_is_true(json_object_get(file->model, "byte_fallback")),
            E_FORMAT, "%s: the \"model\" must have \"byte_fallback\", or the \"pre_tokenizer\" end "
            "in \"ByteLevel\": else there are characters that are no tokens", file->path);
done:
    return st;
}

/* --- names of tokens ----------------------------------------------------------------- */

/* In a byte-level encoding a token's name has a character for each byte.  U+0021 to U+007E, U+00A1
 * to U+00AC and U+00AE to U+00FF stand for the bytes of the same number; U+0100 and above for the
 * other bytes, in order. */
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

/* The bytes that a name spells, or NULL if a character stands for none.  All characters that do are
 * of one or two bytes.  Caller frees. */
static char *spelled(const char *name, int64_t *count)
{
    const int64_t length = (int64_t)strlen(name);
    char *bytes = allocate(length + 1, 1);

    *count = 0;
    for (int64_t at = 0, step; at < length; at += step) {
        const unsigned char *c = (const unsigned char *)name + at;

        step = utf8_length(name + at, length - at);
        const int byte = step > 2 ? -1
                       : byte_named(step == 1 ? c[0] : (c[0] & 31) << 6 | (c[1] & 63));
        if (byte < 0) {
            free(bytes);
            return NULL;
        }
        bytes[(*count)++] = (char)byte;
    }
    return bytes;
}

static char *copy_of(const char *text, int64_t *count)
{
    char *copy = strdup(text);

    if (copy == NULL)
        die("no memory for a token");
    *count = (int64_t)strlen(text);
    return copy;
}

/* What a name is decoded to.  In a byte-level encoding a name that spells no bytes stands for
 * itself. */
static void show(struct token *token, const char *name, bool byte_level)
{
    static const struct normal_step SPACE = { NORMAL_REPLACE, "\xe2\x96\x81", " " };
    const struct normalizer space = { 1, (struct normal_step *)&SPACE };
    unsigned byte;
    int end = 0;

    if (byte_level) {
        token->shown = spelled(name, &token->shown_bytes);
        if (token->shown == NULL)
            token->shown = copy_of(name, &token->shown_bytes);
        return;
    }
    token->is_byte = strlen(name) == 6 && sscanf(name, "<0x%2x>%n", &byte, &end) == 1 && end == 6;
    if (token->is_byte) {
        token->shown = allocate(1, 1);
        token->shown[0] = (char)byte;
        token->shown_bytes = 1;
        return;
    }
    token->shown = normalize_text(&space, name, (int64_t)strlen(name), false, &token->shown_bytes);
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

static enum status read_added(struct added_token *token, const json_t *entry,
                              const struct reader *file)
{
    const json_t *content = json_object_get(entry, "content");
    enum status st = OK;

    REQUIRE(json_is_string(content) && json_string_length(content) > 0, E_FORMAT,
            "%s: each of \"added_tokens\" needs a \"content\"", file->path);
    *token = (struct added_token){
        .text = (char *)json_string_value(content),
        .bytes = (int64_t)json_string_length(content),
        .special = json_is_true(json_object_get(entry, "special")),
        .left = json_is_true(json_object_get(entry, "lstrip")),
        .right = json_is_true(json_object_get(entry, "rstrip")),
    };
    REQUIRE(bpe_steps_is_nothing(json_object_get(entry, "single_word")), E_FORMAT,
            "%s: \"single_word\" of the added token \"%.40s\" must be false", file->path,
            token->text);
    TRY(read_id(&token->id, json_object_get(entry, "id"), token->text, file));
done:
    return st;
}

static void note_id(struct bpe *bpe, int32_t id)
{
    if (id >= bpe->vocabulary.count)
        bpe->vocabulary.count = id + 1;
}

/* Find the largest id, and allocate the tokens. */
static enum status count_ids(struct bpe *bpe, const struct reader *file)
{
    const json_t *added = json_object_get(file->root, "added_tokens"), *entry;
    struct added_token token;
    const char *name;
    json_t *value;
    int32_t id;
    size_t i;
    enum status st = OK;

    json_object_foreach(file->vocab, name, value) {
        TRY(read_id(&id, value, name, file));
        REQUIRE(name[0] != '\0', E_FORMAT, "%s: the token of id %d has no name", file->path, id);
        note_id(bpe, id);
    }
    json_array_foreach(added, i, entry) {
        TRY(read_added(&token, entry, file));
        note_id(bpe, token.id);
    }
    bpe->vocabulary.tokens = allocate(bpe->vocabulary.count, sizeof *bpe->vocabulary.tokens);
done:
    return st;
}

/* Keep an added token as it is sought: in a text, or in its normal form. */
static void keep_added(struct bpe *bpe, struct added_token token, bool normalized)
{
    struct added_token normal = token;

    if (!normalized) {
        added_add(&bpe->added, token);
        return;
    }
    normal.text = normalize_text(&bpe->normal, token.text, token.bytes, false, &normal.bytes);
    if (normal.bytes > 0)
        added_add(&bpe->added_normal, normal);
    free(normal.text);
}

static enum status read_added_tokens(struct bpe *bpe, const struct reader *file)
{
    const json_t *added = json_object_get(file->root, "added_tokens"), *entry;
    struct added_token token;
    size_t i;
    enum status st = OK;

    json_array_foreach(added, i, entry) {
        TRY(read_added(&token, entry, file));
        REQUIRE(bpe->vocabulary.tokens[token.id].shown == NULL, E_FORMAT,
                "%s: two of \"added_tokens\" have the id %d", file->path, token.id);
        show(&bpe->vocabulary.tokens[token.id], token.text, bpe->byte_level);
        keep_added(bpe, token, json_is_true(json_object_get(entry, "normalized")));
    }
    added_sort(&bpe->added);
    added_sort(&bpe->added_normal);
done:
    return st;
}

/* What is found in its normal form is decoded to that. */
static void show_normal(struct bpe *bpe)
{
    for (int i = 0; i < bpe->added_normal.count; i++) {
        const struct added_token *added = &bpe->added_normal.list[i];
        struct token *token = &bpe->vocabulary.tokens[added->id];

        free(token->shown);
        show(token, added->text, bpe->byte_level);
    }
}

static enum status read_token(struct bpe *bpe, const char *name, int32_t id,
                              const struct reader *file)
{
    struct token *token = &bpe->vocabulary.tokens[id], again = {0};
    enum status st = OK;

    REQUIRE(token->text == NULL, E_FORMAT, "%s: the token \"%.40s\" has the id of another",
            file->path, name);
    if (bpe->byte_level)
        token->text = spelled(name, &token->bytes);
    else
        token->text = copy_of(name, &token->bytes);
    if (token->shown == NULL) {
        show(token, name, bpe->byte_level);
        goto done;
    }
    show(&again, name, bpe->byte_level);
    REQUIRE(again.shown_bytes == token->shown_bytes
            && memcmp(again.shown, token->shown, (size_t)token->shown_bytes) == 0, E_FORMAT,
            "%s: the token \"%.40s\" has the id of another", file->path, name);
done:
    free(again.shown);
    return st;
}

/* Find the tokens of single bytes: all must be there. */
static enum status find_bytes(struct bpe *bpe, const struct reader *file)
{
    enum status st = OK;

    for (int byte = 0; byte < 256; byte++) {
        char name[8];

        if (bpe->byte_level)
            snprintf(name, sizeof name, "%c", byte);
        else
            snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
        bpe->bytes[byte] = vocabulary_find(&bpe->vocabulary, name, bpe->byte_level ? 1 : 6);
        REQUIRE(bpe->bytes[byte] >= 0, E_FORMAT,
                "%s: no token of the \"vocab\" is the byte 0x%02x alone", file->path, byte);
    }
done:
    return st;
}

static enum status read_vocabulary(struct bpe *bpe, const struct reader *file)
{
    const char *name;
    json_t *value;
    enum status st = OK;

    json_object_foreach(file->vocab, name, value)
        TRY(read_token(bpe, name, (int32_t)json_integer_value(value), file));
    vocabulary_index(&bpe->vocabulary);
    TRY(find_bytes(bpe, file));
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

static enum status read_merges(struct bpe *bpe, const struct reader *file)
{
    const json_t *list = json_object_get(file->model, "merges"), *entry;
    struct merges *merges = &bpe->merges;
    size_t i;
    enum status st = OK;

    REQUIRE(json_is_array(list) && json_array_size(list) < MERGES_MAX, E_FORMAT,
            "%s: the \"model\" needs a list \"merges\"", file->path);
    merges->count = (int64_t)json_array_size(list);
    merges->list = allocate(merges->count, sizeof *merges->list);
    json_array_foreach(list, i, entry) {
        TRY(read_merge(&merges->list[i], file, entry, i));
        const struct token *left = &bpe->vocabulary.tokens[merges->list[i].left];
        const struct token *right = &bpe->vocabulary.tokens[merges->list[i].right];
        if (left->text != NULL && right->text != NULL)
            bpe->joined[(unsigned char)left->text[left->bytes - 1]][(unsigned char)right->text[0]] =
                true;
    }
    merges_index(merges);
done:
    return st;
}

/* --- the file ------------------------------------------------------------------------ */

enum status bpe_read(struct bpe *bpe, const char *path)
{
    struct reader file = { .path = path };
    json_error_t error;
    char *bytes = NULL;
    int64_t size;
    enum status st;

    *bpe = (struct bpe){0};
    TRY(file_read(path, &bytes, &size));
    file.root = json_loadb(bytes, (size_t)size, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(file.root != NULL, E_FORMAT, "%s is not JSON: line %d: %s", path, error.line,
            error.text);
    file.model = json_object_get(file.root, "model");
    file.vocab = json_object_get(file.model, "vocab");
    TRY(bpe_steps_read(bpe, file.root, path));
    TRY(check_model(&file, bpe));
    bpe->whole_words = json_is_true(json_object_get(file.model, "ignore_merges"));
    TRY(count_ids(bpe, &file));
    TRY(read_added_tokens(bpe, &file));
    TRY(read_vocabulary(bpe, &file));
    show_normal(bpe);
    TRY(read_merges(bpe, &file));
done:
    json_decref(file.root);
    free(bytes);
    return st;
}

void bpe_free(struct bpe *bpe)
{
    vocabulary_free(&bpe->vocabulary);
    merges_free(&bpe->merges);
    added_free(&bpe->added);
    added_free(&bpe->added_normal);
    normalize_free(&bpe->normal);
    normalize_free(&bpe->mark);
    for (int i = 0; i < bpe->splits_count; i++)
        pattern_free(&bpe->splits[i].pattern);
    free(bpe->splits);
    *bpe = (struct bpe){0};
}
