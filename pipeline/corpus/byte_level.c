#define PCRE2_CODE_UNIT_WIDTH 8

#include "corpus/byte_level.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/utf8.h"
#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* Unicode's White_Space.  PCRE2's own \s has one character more, U+180E. */
#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}" \
               "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/* The end of an English contraction; or letters, digits or other signs, with the space before
 * them; or white space, whose last character goes to the next word. */
static const char WORDS[] =
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^" SPACES "\\p{L}\\p{N}]+"
    "|[" SPACES "]+(?![^" SPACES "])|[" SPACES "]+";

/* --- text to ids --------------------------------------------------------------------- */

/* A text being encoded. */
struct encoding {
    const struct byte_level *model;
    int32_t          *ids;
    int64_t           count;
    pcre2_match_data *match;
    struct merging    work;
};

static void add_word(struct encoding *to, const char *word, int64_t bytes)
{
    int32_t *ids = to->ids + to->count;

    for (int64_t i = 0; i < bytes; i++)
        ids[i] = to->model->bytes[(unsigned char)word[i]];
    to->count += merges_apply(&to->model->merges, ids, bytes, &to->work);
}

/* Encode UTF-8 text without added tokens.  Every character belongs to some word. */
static enum status add_words(struct encoding *to, const char *text, int64_t bytes)
{
    for (int64_t at = 0, length; at < bytes; at += length) {
        const int found = pcre2_match(to->model->pattern, (PCRE2_SPTR)text + at,
                                      (size_t)(bytes - at), 0, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK,
                                      to->match, NULL);
        char reason[128];

        if (found < 0) {
            pcre2_get_error_message(found, (PCRE2_UCHAR *)reason, sizeof reason);
            return refuse(E_FORMAT, "cannot cut a text of %lld bytes into words at byte %lld: %s",
                          (long long)bytes, (long long)at, reason);
        }
        length = (int64_t)pcre2_get_ovector_pointer(to->match)[1];
        add_word(to, text + at, length);
    }
    return OK;
}

/* The longest added token that `text` begins with, or -1. */
static int32_t added_token(const struct byte_level *model, const char *text, int64_t bytes)
{
    int32_t best = -1;

    if (!model->added_begin[(unsigned char)text[0]])
        return best;
    for (int32_t i = 0; i < model->added_count; i++) {
        const struct piece *piece = &model->pieces[model->added[i]];
        if (piece->count <= bytes && memcmp(piece->bytes, text, (size_t)piece->count) == 0
            && (best < 0 || piece->count > model->pieces[best].count))
            best = model->added[i];
    }
    return best;
}

static enum status add_text(struct encoding *to, const char *text, int64_t bytes)
{
    int64_t begin = 0;
    enum status st;

    for (int64_t at = 0; at < bytes; ) {
        const int32_t token = added_token(to->model, text + at, bytes - at);

        if (token < 0) {
            at++;
            continue;
        }
        TRY(add_words(to, text + begin, at - begin));
        to->ids[to->count++] = token;
        begin = at += to->model->pieces[token].count;
    }
    TRY(add_words(to, text + begin, bytes - begin));
done:
    return st;
}

static enum status encode(const void *model, const char *text, int64_t bytes, int32_t **ids,
                          int64_t *count)
{
    struct encoding to = { .model = model, .match = pcre2_match_data_create(1, NULL) };
    int64_t clean_bytes;
    char *clean = utf8_clean(text, bytes, &clean_bytes);
    enum status st;

    if (to.match == NULL)
        die("no memory for tokenizing");
    to.ids = allocate(clean_bytes, sizeof *to.ids);     /* a token has a byte at least */
    st = add_text(&to, clean, clean_bytes);
    if (st != OK) {
        free(to.ids);
        to = (struct encoding){ .match = to.match, .work = to.work };
    }
    *ids = to.ids;
    *count = to.count;
    merges_free_buffers(&to.work);
    pcre2_match_data_free(to.match);
    free(clean);
    return st;
}

/* --- ids to text --------------------------------------------------------------------- */

static enum status decode(const void *of, const int32_t *ids, int64_t count, char **text,
                          int64_t *bytes)
{
    const struct byte_level *model = of;
    enum status st = OK;

    for (int64_t i = 0; i < count; i++) {
        REQUIRE(model->pieces[ids[i]].bytes != NULL, E_FORMAT, "no token has the id %d", ids[i]);
        *bytes += model->pieces[ids[i]].count;
    }
    char *to = *text = allocate(*bytes + 1, 1);
    for (int64_t i = 0; i < count; i++) {
        const struct piece *piece = &model->pieces[ids[i]];
        memcpy(to, piece->bytes, (size_t)piece->count);
        to += piece->count;
    }
done:
    return st;
}

/* --- the tokenizer ------------------------------------------------------------------- */

static void close_model(void *of)
{
    struct byte_level *model = of;

    pcre2_code_free(model->pattern);
    byte_level_free(model);
    free(model);
}

static void compile_pattern(struct byte_level *model)
{
    size_t offset;
    int error;

    model->pattern = pcre2_compile((PCRE2_SPTR)WORDS, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP, &error, &offset, NULL);
    if (model->pattern == NULL)
        die_as(E_IO, "bug: PCRE2 does not take the pattern of words (error %d)", error);
    pcre2_jit_compile(model->pattern, PCRE2_JIT_COMPLETE);  /* if it can; else it is slower */
}

enum status byte_level_open(struct tokenizer *tokenizer, const char *path)
{
    static const struct tokenizer_kind KIND = { encode, decode, close_model };
    struct byte_level *model = allocate(1, sizeof *model);
    enum status st;

    TRY(byte_level_read(model, path));
    compile_pattern(model);
    *tokenizer = (struct tokenizer){ &KIND, model, model->vocabulary };
    return OK;
done:
    close_model(model);
    return st;
}
