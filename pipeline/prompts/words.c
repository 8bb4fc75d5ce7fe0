#include "prompts/words.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/random.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text before a word whose tokens are counted. */
static const char BEFORE[] = "the";

enum { TEMPLATES_MOST = 1000, DRAWS = 1 << 20 };

/* --- reading ------------------------------------------------------------------------- */

/* Is the word one token after a space?  Not: leave it out, or refuse. */
static enum status check_word(bool *keep, const struct words *words, const struct wording *wording,
                              const char *list, const char *word)
{
    const char *how = json_string_value(json_object_get(words->file, "several_tokens"));
    struct wording_ids ids = {0};
    char *spaced, *pieces = NULL;
    enum status st;

    if (asprintf(&spaced, " %s", word) < 0)
        die("no memory for a word");
    TRY(wording_of_next(&ids, wording, BEFORE, spaced));
    *keep = ids.count == 1;
    if (!*keep)
        pieces = wording_pieces(wording, &ids);
    REQUIRE(*keep || strcmp(how, "drop") == 0, E_FORMAT, "%s: '%s' in %s is %lld tokens of this "
            "model (%s), but must be one; take it out, or say \"several_tokens\": \"drop\"",
            words->path, word, list, (long long)ids.count, pieces);
done:
    free(pieces);
    free(ids.ids);
    free(spaced);
    return st;
}

static enum status read_list(struct words *words, const struct wording *wording, const char *name,
                             const json_t *texts)
{
    struct words_list *list = &words->lists[words->count++];
    bool keep;
    enum status st = OK;

    *list = (struct words_list){ .name = strdup(name),
                                 .word = allocate((int64_t)json_array_size(texts),
                                                  sizeof *list->word) };
    if (list->name == NULL)
        die("no memory for words");
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *word = json_string_value(json_array_get(texts, i));
        REQUIRE(word != NULL && word[0] != '\0', E_FORMAT, "%s: the list %s has an item that is no "
                "text", words->path, name);
        for (int w = 0; w < list->count; w++)
            REQUIRE(strcmp(list->word[w], word) != 0, E_FORMAT, "%s: the list %s has '%s' twice",
                    words->path, name, word);
        TRY(check_word(&keep, words, wording, name, word));
        if (keep && (list->word[list->count++] = strdup(word)) == NULL)
            die("no memory for words");
    }
done:
    return st;
}

enum status words_read(struct words *words, const struct wording *wording, const char *path)
{
    char *text = NULL;
    json_error_t error;
    json_t *lists, *texts;
    const char *name, *how;
    int64_t bytes;
    enum status st;

    *words = (struct words){ .path = path };
    TRY(file_read(path, &text, &bytes));
    words->file = json_loadb(text, (size_t)bytes, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(json_is_object(words->file), E_FORMAT, "%s:%d: this is no JSON object: %s", path,
            words->file == NULL ? error.line : 1,
            words->file == NULL ? error.text : "it begins otherwise");
    how = json_string_value(json_object_get(words->file, "several_tokens"));
    REQUIRE(how != NULL && (strcmp(how, "drop") == 0 || strcmp(how, "refuse") == 0), E_FORMAT,
            "%s: \"several_tokens\" must be \"drop\" or \"refuse\"", path);
    lists = json_object_get(words->file, "lists");
    REQUIRE(json_is_object(lists), E_FORMAT, "%s: \"lists\" is missing, or no object of lists of "
            "words", path);
    words->lists = allocate((int64_t)json_object_size(lists), sizeof *words->lists);
    json_object_foreach(lists, name, texts)
        TRY(read_list(words, wording, name, texts));
done:
    free(text);
    return st;
}

void words_free(struct words *words)
{
    for (int l = 0; l < words->count; l++) {
        for (int w = 0; w < words->lists[l].count; w++)
            free(words->lists[l].word[w]);
        free(words->lists[l].word);
        free(words->lists[l].name);
    }
    free(words->lists);
    json_decref(words->file);
    *words = (struct words){0};
}

enum status words_find(const struct words_list **list, const struct words *words, const char *name,
                       int least)
{
    int l = 0;
    enum status st = OK;

    while (l < words->count && strcmp(words->lists[l].name, name) != 0)
        l++;
    REQUIRE(l < words->count, E_FORMAT, "%s: \"lists\" has no list %s", words->path, name);
    REQUIRE(words->lists[l].count >= least, E_FORMAT, "%s: the list %s has %d words that are one "
            "token of this model, but %d are needed", words->path, name, words->lists[l].count,
            least);
    *list = &words->lists[l];
done:
    return st;
}

enum status words_count_templates(int *count, const struct words *words)
{
    const json_t *templates = json_object_get(words->file, "templates");
    const size_t size = json_array_size(templates);
    enum status st = OK;

    REQUIRE(0 < size && size <= TEMPLATES_MOST, E_FORMAT,
            "%s: \"templates\" is missing, or no list "
            "of 1 to %d texts",
            words->path, TEMPLATES_MOST);
    for (size_t i = 0; i < size; i++)
        REQUIRE(json_is_string(json_array_get(templates, i)), E_FORMAT, "%s: template %zu is no "
                "text", words->path, i + 1);
    *count = (int)size;
done:
    return st;
}

/* --- draws --------------------------------------------------------------------------- */

struct words_draws words_draws_of(uint64_t seed, int64_t prompt)
{
    return (struct words_draws){ .seed = seed, .next = (uint64_t)prompt * DRAWS };
}

int words_draw(struct words_draws *draws, int below)
{
    uint32_t words[4];

    random_words(words, draws->seed, RANDOM_PROMPTS, draws->next++);
    return (int)((uint64_t)words[0] * (uint64_t)below >> 32);
}

const char *words_draw_other(struct words_draws *draws, const struct words_list *list,
                             const char *const *others, int count)
{
    const char *word;
    bool again = true;

    assert(list->count > count);
    while (again) {
        word = list->word[words_draw(draws, list->count)];
        again = false;
        for (int o = 0; o < count; o++)
            again = again || strcmp(word, others[o]) == 0;
    }
    return word;
}

int words_draw_fillings(struct words_filling *fillings, const struct words *words, const char *but,
                        struct words_draws *draws)
{
    int count = 0;

    for (int l = 0; l < words->count; l++) {
        const struct words_list *list = &words->lists[l];
        if (strcmp(list->name, but) != 0 && list->count > 0)
            fillings[count++] = (struct words_filling){
                list->name, list->word[words_draw(draws, list->count)],
            };
    }
    return count;
}

/* --- filling ------------------------------------------------------------------------- */

/* The filling of a slot for the `nth` time, from 0; NULL if there is none. */
static const char *filling_of(const struct words_filling *fillings, int count, const char *slot,
                              size_t length, int nth)
{
    const char *word = NULL;

    for (int f = 0; f < count && nth >= 0; f++)
        if (strlen(fillings[f].slot) == length && memcmp(fillings[f].slot, slot, length) == 0) {
            word = fillings[f].word;
            nth--;
        }
    return word;
}

/* How often has this slot come before in the template? */
static int times_before(const char *template, const char *slot, size_t length)
{
    int times = 0;

    for (const char *at = template; (at = strchr(at, '[')) != NULL && at + 1 < slot; at++)
        times += strncmp(at + 1, slot, length + 1) == 0;    /* with its bracket */
    return times;
}

enum status words_fill(char **text, const struct words *words, int template,
                       const struct words_filling *fillings, int count)
{
    const char *from = json_string_value(
        json_array_get(json_object_get(words->file, "templates"), (size_t) template));
    const char *begin = from;
    size_t size;
    FILE *out = text_open(text, &size);
    enum status st = OK;

    while (*from != '\0') {
        const size_t plain = strcspn(from, "["), slot = strcspn(from + plain, "]");
        fwrite(from, 1, plain, out);
        from += plain;
        if (*from == '\0')
            break;
        const char *word = filling_of(fillings, count, from + 1, slot - 1,
                                      times_before(begin, from + 1, slot - 1));
        REQUIRE(from[slot] == ']' && word != NULL, E_FORMAT, "%s: template %d has %.*s], for which "
                "there is no list of words", words->path, template + 1, (int)slot, from);
        fputs(word, out);
        from += slot + 1;
    }
done:
    text_close(out);
    if (st != OK) {
        free(*text);
        *text = NULL;
    }
    return st;
}
