/* What a tokenizer.json does to a text before and after the merging. */
#include "base/die.h"
#include "corpus/bpe.h"

#include <stdlib.h>
#include <string.h>

/* GPT-2's words: the end of an English contraction; or letters, digits or other signs, with the
 * space before them; or white space, whose last character goes to the next word. */
static const char GPT2_WORDS[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+"
                                 "| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

bool bpe_steps_is_nothing(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value)
           || (json_is_string(value) && json_string_length(value) == 0);
}

/* --- what the steps share ------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

static bool is_type(const json_t *object, const char *type)
{
    return strcmp(text_of(object, "type"), type) == 0;
}

static enum status refuse_step(const json_t *step, const char *name, const char *path)
{
    return refuse(E_FORMAT, "%s: \"%s\" of type \"%.40s\" is not supported", path, name,
                  text_of(step, "type"));
}

/* A function that takes one step of a file. */
typedef enum status take_step(struct bpe *bpe, const json_t *step, const char *path);

/* Take a step, or each of a "Sequence", which lists them in `list`; null is none. */
static enum status take_steps(struct bpe *bpe, const json_t *step, const char *list,
                              take_step *take, const char *path)
{
    const json_t *steps = json_object_get(step, list), *entry;
    size_t i;
    enum status st = OK;

    if (bpe_steps_is_nothing(step))
        return OK;
    if (!is_type(step, "Sequence"))
        return take(bpe, step, path);
    REQUIRE(json_is_array(steps), E_FORMAT, "%s: a \"Sequence\" needs a list \"%s\"", path, list);
    json_array_foreach(steps, i, entry)
        TRY(take(bpe, entry, path));
done:
    return st;
}

/* The text that a step replaces, if its pattern is a text. */
static const char *replaced(const json_t *step)
{
    return text_of(json_object_get(step, "pattern"), "String");
}

/* --- normalizer ---------------------------------------------------------------------- */

static enum status take_normalizer(struct bpe *bpe, const json_t *step, const char *path)
{
    const json_t *content = json_object_get(step, "content");

    if (is_type(step, "NFC"))
        normalize_add(&bpe->normal, NORMAL_NFC, NULL, NULL);
    else if (is_type(step, "Prepend") && text_of(step, "prepend")[0] != '\0')
        normalize_add(&bpe->normal, NORMAL_PREPEND, NULL, text_of(step, "prepend"));
    else if (is_type(step, "Replace") && replaced(step)[0] != '\0' && json_is_string(content))
        normalize_add(&bpe->normal, NORMAL_REPLACE, replaced(step), json_string_value(content));
    else if (is_type(step, "Replace"))
        return refuse(E_FORMAT, "%s: a \"normalizer\" of type \"Replace\" needs a \"pattern\" that "
                      "is a \"String\", and a \"content\"", path);
    else
        return refuse_step(step, "normalizer", path);
    return OK;
}

/* --- pre_tokenizer ------------------------------------------------------------------- */

static enum status add_split(struct bpe *bpe, const char *expression, bool literal,
                             struct bpe_split split, const char *path)
{
    enum status st;

    TRY(pattern_make(&split.pattern, expression, literal, path));
    bpe->splits = realloc(bpe->splits, (size_t)(bpe->splits_count + 1) * sizeof *bpe->splits);
    if (bpe->splits == NULL)
        die("no memory for a tokenizer");
    bpe->splits[bpe->splits_count++] = split;
    return OK;
done:
    pattern_free(&split.pattern);
    return st;
}

static enum status take_split(struct bpe *bpe, const json_t *step, const char *path)
{
    const char *behavior = text_of(step, "behavior");
    const char *expression = text_of(json_object_get(step, "pattern"), "Regex");
    const bool invert = json_is_true(json_object_get(step, "invert"));
    const bool literal = replaced(step)[0] != '\0';
    struct bpe_split split = { .matches = true, .others = true };
    enum status st;

    REQUIRE(literal || expression[0] != '\0', E_FORMAT, "%s: a \"Split\" needs a \"pattern\", a "
            "\"Regex\" or a \"String\"", path);
    if (strcmp(behavior, "Removed") == 0) {
        split.matches = invert;
        split.others = !invert;
    } else if (strcmp(behavior, "MergedWithPrevious") == 0 && !invert) {
        split.joined = true;
    } else {
        REQUIRE(strcmp(behavior, "Isolated") == 0, E_FORMAT, "%s: a \"Split\" of \"behavior\" "
                "\"%.40s\"%s is not supported", path, behavior, invert ? " with \"invert\"" : "");
    }
    TRY(add_split(bpe, literal ? replaced(step) : expression, literal, split, path));
done:
    return st;
}

static enum status take_byte_level(struct bpe *bpe, const json_t *step, const char *path)
{
    enum status st = OK;

    REQUIRE(bpe_steps_is_nothing(json_object_get(step, "add_prefix_space")), E_FORMAT,
            "%s: \"add_prefix_space\" must be false", path);
    bpe->byte_level = true;
    if (!json_is_false(json_object_get(step, "use_regex")))
        TRY(add_split(bpe, GPT2_WORDS, false,
                      (struct bpe_split){ .matches = true, .others = true }, path));
done:
    return st;
}

/* White space becomes a mark, and a mark stands at the beginning: of each text between added
 * tokens, or of a document. */
static enum status take_metaspace(struct bpe *bpe, const json_t *step, const char *path)
{
    const char *mark = text_of(step, "replacement"), *scheme = text_of(step, "prepend_scheme");
    enum status st = OK;

    REQUIRE(mark[0] != '\0' && json_is_false(json_object_get(step, "split"))
            && (strcmp(scheme, "first") == 0 || strcmp(scheme, "always") == 0
                || strcmp(scheme, "never") == 0), E_FORMAT, "%s: a \"Metaspace\" needs a "
            "\"replacement\", a \"prepend_scheme\" (first, always, never), and \"split\" false",
            path);
    REQUIRE(bpe->splits_count == 0, E_FORMAT, "%s: \"Metaspace\" after \"Split\" is not supported",
            path);
    normalize_add(&bpe->mark, NORMAL_REPLACE, " ", mark);
    if (strcmp(scheme, "never") != 0)
        normalize_add(&bpe->mark, strcmp(scheme, "first") == 0 ? NORMAL_MARK_FIRST : NORMAL_MARK,
                      NULL, mark);
done:
    return st;
}

static enum status take_pre_tokenizer(struct bpe *bpe, const json_t *step, const char *path)
{
    enum status st = OK;

    REQUIRE(!bpe->byte_level, E_FORMAT, "%s: \"ByteLevel\" must be the last \"pre_tokenizer\"",
            path);
    TRY(is_type(step, "Split") ? take_split(bpe, step, path)
        : is_type(step, "ByteLevel") ? take_byte_level(bpe, step, path)
        : is_type(step, "Metaspace") ? take_metaspace(bpe, step, path)
        : refuse_step(step, "pre_tokenizer", path));
    REQUIRE(!bpe->byte_level || bpe->mark.count == 0, E_FORMAT,
            "%s: \"Metaspace\" before \"ByteLevel\" is not supported", path);
done:
    return st;
}

/* --- post_processor ------------------------------------------------------------------ */

/* The id of a special token of a template, or -1. */
static int32_t template_id(const json_t *step, const char *name)
{
    const json_t *token = json_object_get(json_object_get(step, "special_tokens"), name);
    const json_t *ids = json_object_get(token, "ids");
    const json_int_t id = json_array_size(ids) == 1 ? json_integer_value(json_array_get(ids, 0))
                                                    : -1;

    return id < 0 || id >= MERGES_MAX ? -1 : (int32_t)id;
}

/* At most one token, and then the text. */
static enum status take_template(struct bpe *bpe, const json_t *step, const char *path)
{
    const json_t *single = json_object_get(step, "single");
    const size_t count = json_array_size(single);
    const json_t *before = json_object_get(json_array_get(single, 0), "SpecialToken");
    const json_t *text = json_object_get(json_array_get(single, count - 1), "Sequence");
    enum status st = OK;

    REQUIRE(json_is_object(text) && (count == 1 || (count == 2 && json_is_object(before))),
            E_FORMAT, "%s: a \"post_processor\" that adds more than one token before a text, or "
            "any after it, is not supported", path);
    if (count == 2) {
        bpe->bos = template_id(step, text_of(before, "id"));
        REQUIRE(bpe->bos >= 0, E_FORMAT, "%s: the \"post_processor\" does not say which id "
                "\"%.40s\" has", path, text_of(before, "id"));
    }
done:
    return st;
}

static enum status take_post_processor(struct bpe *bpe, const json_t *step, const char *path)
{
    if (is_type(step, "ByteLevel"))     /* it is about places in the text only */
        return OK;
    if (is_type(step, "TemplateProcessing"))
        return take_template(bpe, step, path);
    return refuse_step(step, "post_processor", path);
}

/* --- decoder ------------------------------------------------------------------------- */

static enum status take_decoder(struct bpe *bpe, const json_t *step, const char *path)
{
    if (bpe->byte_level && is_type(step, "ByteLevel"))
        return OK;
    if (!bpe->byte_level && is_type(step, "Replace") && strcmp(replaced(step), "\xe2\x96\x81") == 0
        && strcmp(text_of(step, "content"), " ") == 0)
        return OK;
    if (!bpe->byte_level && (is_type(step, "ByteFallback") || is_type(step, "Fuse")))
        return OK;
    if (!bpe->byte_level && is_type(step, "Strip") && strcmp(text_of(step, "content"), " ") == 0
        && json_integer_value(json_object_get(step, "start")) == 1
        && json_integer_value(json_object_get(step, "stop")) == 0) {
        bpe->strip = true;
        return OK;
    }
    return refuse_step(step, "decoder", path);
}

/* Without byte level it is Replace, ByteFallback, Fuse, and perhaps Strip. */
static enum status check_decoder(const struct bpe *bpe, const json_t *decoder, const char *path)
{
    static const char *const ORDER[] = { "Replace", "ByteFallback", "Fuse", "Strip" };
    const json_t *steps = json_object_get(decoder, "decoders");
    const size_t count = json_array_size(steps);
    bool known = count == 3 || count == 4;
    enum status st = OK;

    for (size_t i = 0; known && i < count; i++)
        known = is_type(json_array_get(steps, i), ORDER[i]);
    REQUIRE(bpe->byte_level || known, E_FORMAT, "%s: the \"decoder\" must be a \"Sequence\" of "
            "\"Replace\", \"ByteFallback\", \"Fuse\" and perhaps \"Strip\"", path);
done:
    return st;
}

/* --- all of them --------------------------------------------------------------------- */

/* "truncation" and "padding" are those of whoever saved the file; every program sets its own. */
enum status bpe_steps_read(struct bpe *bpe, const json_t *root, const char *path)
{
    const json_t *decoder = json_object_get(root, "decoder");
    enum status st;

    bpe->bos = -1;
    TRY(take_steps(bpe, json_object_get(root, "normalizer"), "normalizers", take_normalizer,
                   path));
    TRY(take_steps(bpe, json_object_get(root, "pre_tokenizer"), "pretokenizers", take_pre_tokenizer,
                   path));
    TRY(take_steps(bpe, json_object_get(root, "post_processor"), "processors", take_post_processor,
                   path));
    TRY(take_steps(bpe, decoder, "decoders", take_decoder, path));
    TRY(check_decoder(bpe, decoder, path));
done:
    return st;
}
