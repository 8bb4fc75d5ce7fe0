#include "prompts/generators.h"
#include "base/allocate.h"
#include "base/text.h"
#include "prompts/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a generator works on. */
struct making {
    struct prompts             *prompts;
    const struct wording       *wording;
    const struct suite_circuit *circuit;
    const struct words         *words;      /* NULL: the generator has none */
    char                        place[PATH_LENGTH + 64];    /* of the prompt, for messages */
};

static enum status add(struct making *making, struct prompts_pair *pair)
{
    return prompts_add(making->prompts, making->wording, pair, making->place);
}

/* A pair without classes of positions. */
static struct prompts_pair empty_pair(int template)
{
    struct prompts_pair pair = { .template = template };

    for (int c = 0; c < PROMPTS_CLASSES; c++)
        pair.classes[c] = -1;
    return pair;
}

/* Put the clean and the corrupted text into a pair. */
static enum status take_texts(struct making *making, struct prompts_pair *pair, const char *clean,
                              const char *corrupted)
{
    enum status st;

    TRY(wording_of_prompt(&pair->clean, making->wording, clean));
    TRY(wording_of_prompt(&pair->corrupted, making->wording, corrupted));
done:
    return st;
}

/* Fill the pair's template with some words of the clean prompt, and with those of the corrupted
 * one; with a drawn word of each list that is not called `but`, the same in both. */
static enum status fill_pair(struct making *making, struct prompts_pair *pair,
                             const struct words_filling *clean,
                             const struct words_filling *corrupted, int count, const char *but,
                             struct words_draws *draws)
{
    const size_t bytes = (size_t)count * sizeof *clean;
    struct words_filling *all = allocate(count + making->words->count, sizeof *all);
    const int filled = count + words_draw_fillings(all + count, making->words, but, draws);
    char *texts[2] = { NULL, NULL };
    enum status st;

    memcpy(all, clean, bytes);
    TRY(words_fill(&texts[0], making->words, pair->template, all, filled));
    memcpy(all, corrupted, bytes);
    TRY(words_fill(&texts[1], making->words, pair->template, all, filled));
    TRY(take_texts(making, pair, texts[0], texts[1]));
done:
    free(texts[1]);
    free(texts[0]);
    free(all);
    return st;
}

/* The one token that a word is after a text. */
static enum status next_token(int32_t *id, struct making *making, const char *before,
                              const char *word)
{
    struct wording_ids ids = {0};
    enum status st;

    TRY(wording_of_next(&ids, making->wording, before, word));
    REQUIRE(ids.count == 1, E_FORMAT, "%s: '%s' is %lld tokens of this model after '%s', but must "
            "be one", making->place, word, (long long)ids.count, before);
    *id = ids.ids[0];
done:
    free(ids.ids);
    return st;
}

/* One token as a list. */
static struct wording_ids one_of(int32_t id)
{
    struct wording_ids ids = { allocate(1, sizeof *ids.ids), 1 };

    ids.ids[0] = id;
    return ids;
}

/* --- indirect objects ---------------------------------------------------------------- */

/* Where the prompts of a pair differ: exactly at the three names. */
static enum status find_names(int32_t at[3], const struct making *making,
                              const struct prompts_pair *pair)
{
    const int32_t *clean = pair->clean.ids, *corrupted = pair->corrupted.ids;
    int found = 0;
    enum status st = OK;

    for (int64_t t = 0; t < pair->clean.count && t < pair->corrupted.count; t++)
        if (clean[t] != corrupted[t]) {
            if (found < 3)
                at[found] = (int32_t)t;
            found++;
        }
    REQUIRE(
        found == 3 && pair->clean.count == pair->corrupted.count, E_FORMAT,
        "%s: with other "
        "names this prompt differs in %d tokens, but must in the three names; does the template "
        "have [NAME] three times, each after a space?",
        making->place, found);
done:
    return st;
}

/* The names of a pair of prompts, in the order of the template. */
struct names {
    const char *object, *subject;
    const char *clean[3], *corrupted[3];
    bool        object_first;
};

static struct names draw_names(struct words_draws *draws, const struct words_list *list,
                               bool object_first)
{
    const char *name[5];

    for (int n = 0; n < 5; n++)
        name[n] = words_draw_other(draws, list, name, n);
    return (struct names){
        .object = name[0], .subject = name[1], .object_first = object_first,
        .clean = { name[object_first ? 0 : 1], name[object_first ? 1 : 0], name[1] },
        .corrupted = { name[2], name[3], name[4] },
    };
}

static void set_classes(struct prompts_pair *pair, const int32_t at[3], bool object_first)
{
    const int32_t subject = at[object_first ? 1 : 0];

    pair->classes[PROMPTS_IO] = at[object_first ? 0 : 1];
    pair->classes[PROMPTS_S1] = subject;
    pair->classes[PROMPTS_S1_NEXT] = subject + 1;
    pair->classes[PROMPTS_S2] = at[2];
    pair->classes[PROMPTS_END] = (int32_t)pair->clean.count - 1;
}

/* One prompt of indirect objects.  The answers are the tokens that the names have in the prompt. */
static enum status make_indirect(struct making *making, const struct words_list *list, int template,
                                 const struct names *names, struct words_draws *draws)
{
    struct words_filling clean[3], corrupted[3];
    struct prompts_pair pair = empty_pair(template);
    int32_t at[3];
    enum status st;

    for (int n = 0; n < 3; n++) {
        clean[n] = (struct words_filling){ list->name, names->clean[n] };
        corrupted[n] = (struct words_filling){ list->name, names->corrupted[n] };
    }
    TRY(fill_pair(making, &pair, clean, corrupted, 3, list->name, draws));
    TRY(find_names(at, making, &pair));
    set_classes(&pair, at, names->object_first);
    pair.answers = one_of(pair.clean.ids[pair.classes[PROMPTS_IO]]);
    pair.wrong = one_of(pair.clean.ids[pair.classes[PROMPTS_S2]]);
    TRY(add(making, &pair));
done:
    prompts_pair_free(&pair);
    return st;
}

static enum status make_ioi(struct making *making)
{
    const struct words_list *list;
    int templates;
    enum status st;

    TRY(words_find(&list, making->words, "NAME", 5));
    TRY(words_count_templates(&templates, making->words));
    for (int64_t p = 0; p < making->circuit->count; p++) {
        struct words_draws draws = words_draws_of((uint64_t)making->circuit->seed, p);
        const int template = (int)(p % templates);
        const struct names names = draw_names(&draws, list, p / templates % 2 == 1);
        snprintf(making->place, sizeof making->place, "%s: template %d", making->words->path,
                 template + 1);
        TRY(make_indirect(making, list, template, &names, &draws));
    }
done:
    return st;
}

/* --- later years --------------------------------------------------------------------- */

enum { ENDS = 100 };            /* of the years of a century */

/* The years of a century that are two tokens: the century and the end. */
struct century {
    char    digits[16];
    int32_t end[ENDS];          /* token of the last two digits; -1: the year is not two tokens */
    int     first, last;        /* years that may be the first of a prompt */
};

/* The first and the last year that are two tokens are not used: no year is before, or after. */
static enum status read_century(struct century *century, struct making *making, json_int_t number)
{
    struct wording_ids ids;
    char text[32];
    enum status st = OK;

    snprintf(century->digits, sizeof century->digits, "%lld", (long long)number);
    century->first = ENDS;
    century->last = -1;
    for (int end = 0; end < ENDS; end++) {
        snprintf(text, sizeof text, " %s%02d", century->digits, end);
        TRY(wording_of_next(&ids, making->wording, "year", text));
        century->end[end] = ids.count == 2 ? ids.ids[1] : -1;
        free(ids.ids);
        if (century->end[end] < 0)
            continue;
        century->first = century->first == ENDS ? end : century->first;
        century->last = end;
    }
    century->first = century->first < 1 ? 2 : century->first + 1;  /* 01 is the corrupted year */
    century->last--;
    REQUIRE(century->first <= century->last && century->end[1] >= 0, E_FORMAT, "%s: years of the "
            "century %s are not two tokens of this model each, as they must be; take it out",
            making->words->path, century->digits);
done:
    return st;
}

/* A year that may be the first of a prompt. */
static int draw_year(struct words_draws *draws, const struct century *century)
{
    int year;

    do
        year = century->first + words_draw(draws, century->last - century->first + 1);
    while (century->end[year] < 0);
    return year;
}

/* The ends of the years above `year`, or of all others. */
static struct wording_ids ends_of(const struct century *century, int year, bool later)
{
    struct wording_ids ids = { .ids = allocate(ENDS, sizeof *ids.ids) };

    for (int end = 0; end < ENDS; end++)
        if (century->end[end] >= 0 && (end > year) == later)
            ids.ids[ids.count++] = century->end[end];
    return ids;
}

static enum status make_year(struct making *making, int template, const struct century *century,
                             struct words_draws *draws)
{
    const int year = draw_year(draws, century);
    struct prompts_pair pair = empty_pair(template);
    char clean[32], corrupted[32];
    enum status st;

    snprintf(clean, sizeof clean, "%s%02d", century->digits, year);
    snprintf(corrupted, sizeof corrupted, "%s01", century->digits);
    const struct words_filling before[] = { { "YEAR", clean }, { "CENTURY", century->digits } };
    const struct words_filling after[] = { { "YEAR", corrupted }, before[1] };
    TRY(fill_pair(making, &pair, before, after, 2, "", draws));
    pair.answers = ends_of(century, year, true);
    pair.wrong = ends_of(century, year, false);
    TRY(add(making, &pair));
done:
    prompts_pair_free(&pair);
    return st;
}

static enum status make_greater_than(struct making *making)
{
    const json_t *list = json_object_get(making->words->file, "centuries");
    const int centuries = (int)json_array_size(list);
    struct century *century = allocate(centuries, sizeof *century);
    int templates;
    enum status st;

    TRY(words_count_templates(&templates, making->words));
    REQUIRE(centuries > 0, E_FORMAT, "%s: \"centuries\" is missing, or no list of numbers",
            making->words->path);
    for (int c = 0; c < centuries; c++)
        TRY(read_century(&century[c], making,
                         json_integer_value(json_array_get(list, (size_t)c))));
    for (int64_t p = 0; p < making->circuit->count; p++) {
        struct words_draws draws = words_draws_of((uint64_t)making->circuit->seed, p);
        const int template = (int)(p % templates);
        snprintf(making->place, sizeof making->place, "%s: template %d", making->words->path,
                 template + 1);
        TRY(make_year(making, template, &century[words_draw(&draws, centuries)], &draws));
    }
done:
    free(century);
    return st;
}

/* --- repeated tokens ----------------------------------------------------------------- */

/* A random token of text, none of the first `count` of `others`. */
static int32_t draw_token(struct words_draws *draws, const struct wording *wording,
                          const int32_t *others, int64_t count)
{
    int32_t token = -1;
    bool again = true;

    while (again) {
        token = words_draw(draws, wording->vocabulary);
        again = token == wording->bos || token == wording->pad;
        for (int64_t o = 0; o < count; o++)
            again = again || token == others[o];
    }
    return token;
}

/* BOS, `first` random tokens, and those of `second` again but for the last. */
static struct wording_ids repeated(const struct wording *wording, const int32_t *first,
                                   const int32_t *second, int64_t length)
{
    const size_t bytes = (size_t)length * sizeof *first;
    struct wording_ids ids = { allocate(2 * length, sizeof *ids.ids), 2 * length };

    ids.ids[0] = wording->bos;
    memcpy(ids.ids + 1, first, bytes);
    memcpy(ids.ids + 1 + length, second, bytes - sizeof *first);
    return ids;
}

/* The corrupted prompt has other tokens the first time, so that nothing is repeated. */
static enum status make_repetition(struct making *making, struct words_draws *draws)
{
    const int64_t length = making->circuit->context / 2;
    int32_t *tokens = allocate(2 * length, sizeof *tokens);
    struct prompts_pair pair = empty_pair(0);
    enum status st;

    for (int64_t t = 0; t < 2 * length; t++)
        tokens[t] = draw_token(draws, making->wording, tokens, t);
    pair.clean = repeated(making->wording, tokens, tokens, length);
    pair.corrupted = repeated(making->wording, tokens + length, tokens, length);
    pair.answers = one_of(tokens[length - 1]);
    pair.wrong = one_of(tokens[words_draw(draws, (int)length - 1)]);
    st = add(making, &pair);
    prompts_pair_free(&pair);
    free(tokens);
    return st;
}

static enum status make_induction(struct making *making)
{
    const int64_t length = making->circuit->context / 2;
    enum status st = OK;

    REQUIRE(length >= 2 && 4 * length <= making->wording->vocabulary, E_USAGE, "circuit.context is "
            "%lld, but prompts of the generator induction have from 4 tokens up to half of the %d "
            "that the model knows", (long long)making->circuit->context,
            making->wording->vocabulary);
    snprintf(making->place, sizeof making->place, "the generator induction");
    for (int64_t p = 0; p < making->circuit->count; p++) {
        struct words_draws draws = words_draws_of((uint64_t)making->circuit->seed, p);
        TRY(make_repetition(making, &draws));
    }
done:
    return st;
}

/* --- lists to be continued ------------------------------------------------------------ */

enum { SHOWN = 3 };             /* words of a list in a prompt */

static bool is_cyclic(const struct words *words, const char *name)
{
    const json_t *names = json_object_get(words->file, "cyclic");
    bool cyclic = false;

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *item = json_string_value(json_array_get(names, i));
        cyclic = cyclic || (item != NULL && strcmp(item, name) == 0);
    }
    return cyclic;
}

/* The words of a list one after the other, each after a space but the first. */
static char *joined(const struct words_list *list, const int chosen[SHOWN])
{
    char *text;
    size_t length;
    FILE *out = text_open(&text, &length);

    for (int w = 0; w < SHOWN; w++)
        fprintf(out, " %s", list->word[chosen[w]]);
    text_close(out);
    return text;
}

/* Words of the list in no order: none is the next of the one before it. */
static void draw_unordered(int chosen[SHOWN], struct words_draws *draws, int count)
{
    for (int w = 0; w < SHOWN; w++)
        do
            chosen[w] = words_draw(draws, count);
        while (w > 0 && (chosen[w] == (chosen[w - 1] + 1) % count || chosen[w] == chosen[w - 1]));
}

static enum status make_continuation(struct making *making, const struct words_list *list,
                                     int template, struct words_draws *draws)
{
    const int starts = is_cyclic(making->words, list->name) ? list->count : list->count - SHOWN;
    const int start = words_draw(draws, starts);
    struct prompts_pair pair = empty_pair(template);
    char *clean = NULL, *corrupted = NULL, spaced[256];
    int shown[SHOWN], mixed[SHOWN];
    enum status st = OK;

    for (int w = 0; w < SHOWN; w++)
        shown[w] = (start + w) % list->count;
    draw_unordered(mixed, draws, list->count);
    clean = joined(list, shown);
    corrupted = joined(list, mixed);
    TRY(take_texts(making, &pair, clean, corrupted));
    pair.wrong.ids = allocate(list->count, sizeof *pair.wrong.ids);
    for (int w = 0; w < list->count; w++) {
        int32_t *id = &pair.wrong.ids[pair.wrong.count];
        snprintf(spaced, sizeof spaced, " %s", list->word[w]);
        TRY(next_token(id, making, clean, spaced));
        if (w == (start + SHOWN) % list->count)
            pair.answers = one_of(*id);
        else
            pair.wrong.count++;
    }
    TRY(add(making, &pair));
done:
    prompts_pair_free(&pair);
    free(corrupted);
    free(clean);
    return st;
}

/* Lists take turns; the number of a list is that of its template. */
static enum status make_successor(struct making *making)
{
    const struct words *words = making->words;
    const struct words_list *list;
    enum status st = OK;

    REQUIRE(words->count > 0, E_FORMAT, "%s: \"lists\" is empty", words->path);
    for (int l = 0; l < words->count; l++)
        TRY(words_find(&list, words, words->lists[l].name, SHOWN + 2));
    for (int64_t p = 0; p < making->circuit->count; p++) {
        struct words_draws draws = words_draws_of((uint64_t)making->circuit->seed, p);
        const int l = (int)(p % words->count);
        snprintf(making->place, sizeof making->place, "%s: list %s", words->path,
                 words->lists[l].name);
        TRY(make_continuation(making, &words->lists[l], l, &draws));
    }
done:
    return st;
}

/* --- all ----------------------------------------------------------------------------- */

static const struct generator {
    const char *name;
    bool        words;          /* needs a file of words */
    enum status (*make)(struct making *making);
} TABLE[GENERATORS] = {
    [GENERATOR_IOI]          = { "ioi", true, make_ioi },
    [GENERATOR_GREATER_THAN] = { "greater_than", true, make_greater_than },
    [GENERATOR_INDUCTION]    = { "induction", false, make_induction },
    [GENERATOR_SUCCESSOR]    = { "successor", true, make_successor },
};

enum status generators_make(struct prompts *prompts, const struct wording *wording,
                            const struct suite_circuit *circuit)
{
    const struct generator *generator = &TABLE[circuit->generator];
    struct words words = {0};
    struct making making = { prompts, wording, circuit, &words, "" };
    enum status st = OK;

    REQUIRE(!generator->words || circuit->data[0] != '\0', E_USAGE, "the generator %s needs a file "
            "of words; give circuit.data, such as jobs/circuits/%s.json", generator->name,
            generator->name);
    if (generator->words)
        TRY(words_read(&words, wording, circuit->data));
    TRY(generator->make(&making));
done:
    words_free(&words);
    return st;
}
