#include "corpus/bpe.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/utf8.h"
#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"

#include <stdlib.h>
#include <string.h>

/* --- text to ids --------------------------------------------------------------------- */

/* A growing list of ids. */
struct ids {
    int32_t *list;
    int64_t  count, capacity;
};

/* A text being encoded. */
struct encoding {
    const struct bpe *bpe;
    bool              special;          /* are special tokens found in it? */
    struct ids        ids;              /* made so far */
    struct ids        symbols;          /* of a word, or of a part of it */
    struct merging    work;
};

static void add_id(struct ids *to, int32_t id)
{
    if (to->count == to->capacity) {
        to->capacity = 2 * to->capacity + 64;
        to->list = realloc(to->list, (size_t)to->capacity * sizeof *to->list);
        if (to->list == NULL)
            die("no memory for %lld token ids", (long long)to->capacity);
    }
    to->list[to->count++] = id;
}

static void merge_symbols(struct encoding *to)
{
    struct ids *symbols = &to->symbols;
    const int64_t left = merges_apply(&to->bpe->merges, symbols->list, symbols->count, &to->work);

    for (int64_t i = 0; i < left; i++)
        add_id(&to->ids, symbols->list[i]);
    symbols->count = 0;
}

/* May a merge reach across the two symbols? */
static bool may_join(const struct bpe *bpe, int32_t left, int32_t right)
{
    const struct token *a = &bpe->vocabulary.tokens[left], *b = &bpe->vocabulary.tokens[right];

    return bpe->joined[(unsigned char)a->text[a->bytes - 1]][(unsigned char)b->text[0]];
}

/* Long words are merged in parts, which end where no merge reaches across. */
static void add_symbol(struct encoding *to, int32_t id)
{
    enum { PART = 1 << 16 };
    const struct ids *symbols = &to->symbols;

    if (symbols->count >= PART
        && !may_join(to->bpe, symbols->list[symbols->count - 1], id))
        merge_symbols(to);
    add_id(&to->symbols, id);
}

static void add_word(struct encoding *to, const char *word, int64_t bytes)
{
    const struct bpe *bpe = to->bpe;
    const int32_t whole = bpe->whole_words ? vocabulary_find(&bpe->vocabulary, word, bytes) : -1;

    if (whole >= 0) {
        add_id(&to->ids, whole);
        return;
    }
    for (int64_t at = 0, length; at < bytes; at += length) {
        length = bpe->byte_level ? 1 : utf8_length(word + at, bytes - at);
        const int32_t id = bpe->byte_level
                           ? -1 : vocabulary_find(&bpe->vocabulary, word + at, length);
        if (id >= 0)
            add_symbol(to, id);
        for (int64_t i = 0; id < 0 && i < length; i++)
            add_symbol(to, bpe->bytes[(unsigned char)word[at + i]]);
    }
    merge_symbols(to);
}

/* Cut a piece by split number `number` and those after it. */
static enum status add_piece(struct encoding *to, int number, const char *text, int64_t bytes)
{
    const struct bpe_split *split;
    int64_t done = 0, begin, end;       /* `done` bytes are cut */
    bool found, before = false;         /* is a match right before? */
    enum status st;

    if (number == to->bpe->splits_count) {
        add_word(to, text, bytes);
        return OK;
    }
    split = &to->bpe->splits[number];
    for (;;) {
        TRY(pattern_find(&split->pattern, text, bytes, done, &found, &begin, &end));
        if (!found)
            break;
        before = before && begin == done;
        if (split->joined && !before)
            begin = done;
        if (split->others && begin > done)
            TRY(add_piece(to, number + 1, text + done, begin - done));
        if (split->matches)
            TRY(add_piece(to, number + 1, text + begin, end - begin));
        done = end;
        before = true;
    }
    if (split->others && done < bytes)
        TRY(add_piece(to, number + 1, text + done, bytes - done));
done:
    return st;
}

/* A text in its normal form, without added tokens. */
static enum status add_normal(struct encoding *to, const char *text, int64_t bytes, bool first)
{
    int64_t marked_bytes;
    char *marked;
    enum status st;

    if (to->bpe->mark.count == 0)
        return add_piece(to, 0, text, bytes);
    marked = normalize_text(&to->bpe->mark, text, bytes, first, &marked_bytes);
    st = add_piece(to, 0, marked, marked_bytes);
    free(marked);
    return st;
}

/* Add the added tokens of a text, and what `add` makes of the texts between them. */
static enum status add_between(struct encoding *to, const struct added_tokens *tokens,
                               const char *text, int64_t bytes, bool first,
                               enum status (*add)(struct encoding *to, const char *text,
                                                  int64_t bytes, bool first))
{
    struct added_match match = {0};
    int64_t done = 0;
    enum status st = OK;

    while (added_find(tokens, text, bytes, match.next, done, to->special, &match)) {
        if (done < match.begin)
            TRY(add(to, text + done, match.begin - done, first && done == 0));
        add_id(&to->ids, match.id);
        done = match.end;
    }
    if (done < bytes)
        TRY(add(to, text + done, bytes - done, first && done == 0));
done:
    return st;
}

/* A text without added tokens, as it is written. */
static enum status add_written(struct encoding *to, const char *text, int64_t bytes, bool first)
{
    int64_t normal_bytes;
    char *normal = normalize_text(&to->bpe->normal, text, bytes, first, &normal_bytes);
    const enum status st = add_between(to, &to->bpe->added_normal, normal, normal_bytes, first,
                                       add_normal);

    free(normal);
    return st;
}

static enum status encode(const void *model, const char *text, int64_t bytes, bool whole,
                          int32_t **ids, int64_t *count)
{
    struct encoding to = { .bpe = model, .special = whole };
    int64_t clean_bytes;
    char *clean = utf8_clean(text, bytes, &clean_bytes);
    const enum status st = add_between(&to, &to.bpe->added, clean, clean_bytes, whole, add_written);

    if (st == OK) {
        *ids = to.ids.list;
        *count = to.ids.count;
    } else {
        free(to.ids.list);
    }
    free(to.symbols.list);
    merges_free_buffers(&to.work);
    free(clean);
    return st;
}

/* --- ids to text --------------------------------------------------------------------- */

/* The end of the run of bytes that begins at `at`. */
static int64_t end_of_bytes(const struct bpe *bpe, const int32_t *ids, int64_t count, int64_t at)
{
    while (at < count && bpe->vocabulary.tokens[ids[at]].is_byte)
        at++;
    return at;
}

/* A run of bytes that is not UTF-8 as a whole gives U+FFFD for each byte. */
static char *show_bytes(const struct bpe *bpe, char *to, const int32_t *ids, int64_t count)
{
    bool good = true;

    for (int64_t i = 0; i < count; i++)
        to[i] = bpe->vocabulary.tokens[ids[i]].shown[0];
    for (int64_t i = 0, length; good && i < count; i += length) {
        length = utf8_length(to + i, count - i);
        good = length > 0;
    }
    for (int64_t i = 0; !good && i < count; i++)
        memcpy(to + 3 * i, "\xef\xbf\xbd", 3);
    return to + (good ? count : 3 * count);
}

static enum status decode(const void *model, const int32_t *ids, int64_t count, char **text,
                          int64_t *bytes)
{
    const struct bpe *bpe = model;
    int64_t most = 0;
    char *to;
    enum status st = OK;

    for (int64_t i = 0; i < count; i++) {
        const struct token *token = &bpe->vocabulary.tokens[ids[i]];
        REQUIRE(token->shown != NULL, E_FORMAT, "no token has the id %d", ids[i]);
        most += token->is_byte ? 3 : token->shown_bytes;
    }
    to = *text = allocate(most + 1, 1);
    for (int64_t i = 0, end; i < count; i = end) {
        const struct token *token = &bpe->vocabulary.tokens[ids[i]];

        end = end_of_bytes(bpe, ids, count, i);
        if (end > i) {
            to = show_bytes(bpe, to, ids + i, end - i);
            continue;
        }
        to = mempcpy(to, token->shown, (size_t)token->shown_bytes);
        end = i + 1;
    }
    *bytes = to - *text;
    if (bpe->strip && (*text)[0] == ' ')
        memmove(*text, *text + 1, (size_t)(*bytes)--);
    (*text)[*bytes] = '\0';
done:
    return st;
}

/* --- the tokenizer ------------------------------------------------------------------- */

static int32_t find(const void *model, const char *name)
{
    const struct bpe *bpe = model;
    const struct added_tokens *both[] = { &bpe->added, &bpe->added_normal };

    for (int i = 0; i < 2; i++)
        for (int t = 0; t < both[i]->count; t++)
            if (strlen(name) == (size_t)both[i]->list[t].bytes
                && memcmp(name, both[i]->list[t].text, strlen(name)) == 0)
                return both[i]->list[t].id;
    return -1;
}

static void close_model(void *model)
{
    bpe_free(model);
    free(model);
}

/* Does each part of a text between added tokens begin with a mark of its own? */
static bool marks_parts(const struct bpe *bpe)
{
    bool marks = false;

    for (int i = 0; i < bpe->normal.count; i++)
        marks = marks || bpe->normal.steps[i].kind == NORMAL_PREPEND;
    for (int i = 0; i < bpe->mark.count; i++)
        marks = marks || bpe->mark.steps[i].kind == NORMAL_MARK;
    return marks;
}

enum status bpe_open(struct tokenizer *tokenizer, const char *path)
{
    static const struct tokenizer_kind KIND = { encode, decode, find, close_model };
    struct bpe *bpe = allocate(1, sizeof *bpe);
    enum status st;

    TRY(bpe_read(bpe, path));
    *tokenizer = (struct tokenizer){ &KIND, bpe, bpe->vocabulary.count, bpe->bos,
                                     marks_parts(bpe), bpe->byte_level };
    return OK;
done:
    close_model(bpe);
    return st;
}
