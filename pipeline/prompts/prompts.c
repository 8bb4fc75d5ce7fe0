#include "prompts/prompts.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "base/minmax.h"
#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const CLASSES[PROMPTS_CLASSES] = { "IO", "S1", "S1+1", "S2", "END" };

enum { TEMPLATES_MOST = 1000 };

const char *prompts_class_name(enum prompts_class class)
{
    return CLASSES[class];
}

/* --- the table ----------------------------------------------------------------------- */

void prompts_make(struct prompts *prompts, int64_t tokens)
{
    struct prompts_lists *const lists[] = { &prompts->answers, &prompts->wrong,
                                            &prompts->positions };

    *prompts = (struct prompts){ .tokens = tokens };
    for (int l = 0; l < 3; l++)
        lists[l]->first = allocate(1, sizeof(int32_t));
}

void prompts_free(struct prompts *prompts)
{
    struct prompts_lists *const lists[] = { &prompts->answers, &prompts->wrong,
                                            &prompts->positions };

    for (int l = 0; l < 3; l++) {
        free(lists[l]->first);
        free(lists[l]->items);
    }
    free(prompts->clean);
    free(prompts->corrupted);
    free(prompts->length);
    free(prompts->template);
    free(prompts->classes);
    *prompts = (struct prompts){0};
}

static void *grown(void *array, int64_t count)
{
    array = realloc(array, (size_t)(count > 0 ? count : 1) * sizeof(int32_t));
    if (array == NULL)
        die("no memory for prompts");
    return array;
}

static void add_list(struct prompts_lists *lists, int64_t prompt, const int32_t *items,
                     int64_t count)
{
    const int32_t first = lists->first[prompt];

    lists->first = grown(lists->first, prompt + 2);
    lists->items = grown(lists->items, first + count);
    if (count > 0)
        memcpy(lists->items + first, items, (size_t)count * sizeof *items);
    lists->first[prompt + 1] = first + (int32_t)count;
}

/* Room for one more prompt. */
static void grow(struct prompts *prompts)
{
    const int64_t count = prompts->count + 1;

    prompts->clean = grown(prompts->clean, count * prompts->tokens);
    prompts->corrupted = grown(prompts->corrupted, count * prompts->tokens);
    prompts->length = grown(prompts->length, count);
    prompts->template = grown(prompts->template, count);
    prompts->classes = grown(prompts->classes, count * PROMPTS_CLASSES);
}

static enum status check_ids(const struct wording *wording, const struct wording_ids *ids,
                             const char *what, const char *place)
{
    enum status st = OK;

    for (int64_t i = 0; i < ids->count; i++)
        REQUIRE(0 <= ids->ids[i] && ids->ids[i] < wording->vocabulary, E_FORMAT,
                "%s: %s has the id %d, but the model knows %d", place, what, ids->ids[i],
                wording->vocabulary);
done:
    return st;
}

static enum status check_pair(const struct prompts *prompts, const struct wording *wording,
                              const struct prompts_pair *pair, const char *place)
{
    enum status st;

    TRY(check_ids(wording, &pair->clean, "the clean prompt", place));
    TRY(check_ids(wording, &pair->corrupted, "the corrupted prompt", place));
    TRY(check_ids(wording, &pair->answers, "\"answers\"", place));
    TRY(check_ids(wording, &pair->wrong, "\"wrong\"", place));
    REQUIRE(pair->clean.count == pair->corrupted.count, E_FORMAT, "%s: the clean prompt has %lld "
            "tokens, the corrupted one %lld; a pair must have as many, so that each position of "
            "one stands for the same of the other", place, (long long)pair->clean.count,
            (long long)pair->corrupted.count);
    REQUIRE(pair->clean.count <= prompts->tokens, E_FORMAT, "%s: the prompt has %lld tokens; raise "
            "'%s', which is %lld", place, (long long)pair->clean.count,
            prompts->limit != NULL ? prompts->limit : "context", (long long)prompts->tokens);
    for (int64_t i = 0; i < pair->positions.count; i++)
        REQUIRE(0 <= pair->positions.ids[i] && pair->positions.ids[i] < pair->clean.count,
                E_FORMAT, "%s: \"positions\" has %d, but the prompt has positions 0 to %lld", place,
                pair->positions.ids[i], (long long)pair->clean.count - 1);
    for (int c = 0; c < PROMPTS_CLASSES; c++)
        REQUIRE(pair->classes[c] < pair->clean.count, E_FORMAT, "%s: \"classes\" has %s at %d, but "
                "the prompt has positions 0 to %lld", place, CLASSES[c], pair->classes[c],
                (long long)pair->clean.count - 1);
done:
    return st;
}

static void copy_row(int32_t *row, const struct wording_ids *ids, int64_t tokens, int32_t pad)
{
    for (int64_t t = 0; t < tokens; t++)
        row[t] = t < ids->count ? ids->ids[t] : pad;
}

enum status prompts_add(struct prompts *prompts, const struct wording *wording,
                        const struct prompts_pair *pair, const char *place)
{
    const int64_t p = prompts->count;
    const int32_t last = (int32_t)pair->clean.count - 1;
    enum status st;

    TRY(check_pair(prompts, wording, pair, place));
    grow(prompts);
    copy_row(prompts->clean + p * prompts->tokens, &pair->clean, prompts->tokens, wording->pad);
    copy_row(prompts->corrupted + p * prompts->tokens, &pair->corrupted, prompts->tokens,
             wording->pad);
    prompts->length[p] = last + 1;
    prompts->template[p] = pair->template;
    memcpy(prompts->classes + p * PROMPTS_CLASSES, pair->classes, sizeof pair->classes);
    add_list(&prompts->answers, p, pair->answers.ids, pair->answers.count);
    add_list(&prompts->wrong, p, pair->wrong.ids, pair->wrong.count);
    if (pair->positions.count > 0)
        add_list(&prompts->positions, p, pair->positions.ids, pair->positions.count);
    else
        add_list(&prompts->positions, p, &last, 1);
    prompts->count++;
done:
    return st;
}

void prompts_trim(struct prompts *prompts)
{
    int64_t longest = 0;

    for (int64_t p = 0; p < prompts->count; p++)
        longest = prompts->length[p] > longest ? prompts->length[p] : longest;
    for (int64_t p = 0; p < prompts->count; p++) {
        const size_t bytes = (size_t)longest * sizeof(int32_t);
        memmove(prompts->clean + p * longest, prompts->clean + p * prompts->tokens, bytes);
        memmove(prompts->corrupted + p * longest, prompts->corrupted + p * prompts->tokens, bytes);
    }
    prompts->tokens = longest;
}

/* Move row `from` of a table to row `to` above it. */
static void move_row(int32_t *table, int64_t to, int64_t from, int64_t columns)
{
    memmove(table + to * columns, table + from * columns, (size_t)columns * sizeof *table);
}

static void move_list(struct prompts_lists *lists, int64_t to, int64_t from)
{
    const int32_t first = lists->first[from], count = lists->first[from + 1] - first;

    memmove(lists->items + lists->first[to], lists->items + first,
            (size_t)count * sizeof *lists->items);
    lists->first[to + 1] = lists->first[to] + count;
}

void prompts_keep(struct prompts *prompts, const bool *kept)
{
    int64_t to = 0;

    for (int64_t p = 0; p < prompts->count; p++) {
        if (!kept[p])
            continue;
        move_row(prompts->clean, to, p, prompts->tokens);
        move_row(prompts->corrupted, to, p, prompts->tokens);
        move_row(prompts->length, to, p, 1);
        move_row(prompts->template, to, p, 1);
        move_row(prompts->classes, to, p, PROMPTS_CLASSES);
        move_list(&prompts->answers, to, p);
        move_list(&prompts->wrong, to, p);
        move_list(&prompts->positions, to, p);
        to++;
    }
    prompts->count = to;
}

int32_t prompts_templates(const struct prompts *prompts)
{
    int32_t templates = 0;

    for (int64_t p = 0; p < prompts->count; p++)
        if (prompts->template[p] >= templates)
            templates = prompts->template[p] + 1;
    return templates;
}

/* --- a line of a file ---------------------------------------------------------------- */

static enum status read_ids(struct wording_ids *ids, const json_t *list, const char *name,
                            const char *place)
{
    enum status st = OK;

    ids->ids = allocate((int64_t)json_array_size(list), sizeof *ids->ids);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        REQUIRE(json_is_integer(item) && json_integer_value(item) >= 0
                && json_integer_value(item) <= INT32_MAX, E_FORMAT, "%s: an item of \"%s\" is no "
                "whole number from 0", place, name);
        ids->ids[ids->count++] = (int32_t)json_integer_value(item);
    }
done:
    return st;
}

/* A prompt: a text or ids. */
static enum status read_prompt(struct wording_ids *prompt, const struct wording *wording,
                               const json_t *line, const char *name, const char *place)
{
    const json_t *value = json_object_get(line, name);
    enum status st = OK;

    REQUIRE(json_is_string(value) || json_is_array(value), E_FORMAT, "%s: \"%s\" is missing, or "
            "neither a text nor a list of token ids", place, name);
    if (json_is_string(value)) {
        TRY(wording_of_prompt(prompt, wording, json_string_value(value)));
    } else {
        TRY(read_ids(prompt, value, name, place));
        wording_begin(prompt, wording);
    }
done:
    return st;
}

/* An answer that is a text: the one token that it adds to the clean prompt; after a prompt of ids,
 * the one that it is. */
static enum status read_answer(int32_t *id, const struct wording *wording, const json_t *line,
                               const char *text, const char *place)
{
    const char *clean = json_string_value(json_object_get(line, "clean"));
    struct wording_ids found = {0};
    char *pieces = NULL;
    enum status st;

    TRY(wording_of_next(&found, wording, clean != NULL ? clean : "", text));
    if (found.count != 1)
        pieces = wording_pieces(wording, &found);
    REQUIRE(found.count == 1, E_FORMAT, "%s: the answer '%s' is %lld tokens of this model after "
            "its prompt (%s), but must be one", place, text, (long long)found.count, pieces);
    *id = found.ids[0];
done:
    free(pieces);
    free(found.ids);
    return st;
}

/* Answers: texts or ids. */
static enum status read_answers(struct wording_ids *answers, const struct wording *wording,
                                const json_t *line, const char *name, const char *place)
{
    const json_t *list = json_object_get(line, name);
    enum status st = OK;

    REQUIRE(json_is_array(list), E_FORMAT, "%s: \"%s\" is missing, or no list of texts or token "
            "ids", place, name);
    if (!json_is_string(json_array_get(list, 0)))
        return read_ids(answers, list, name, place);
    answers->ids = allocate((int64_t)json_array_size(list), sizeof *answers->ids);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        REQUIRE(text != NULL, E_FORMAT, "%s: an item of \"%s\" is no text", place, name);
        TRY(read_answer(&answers->ids[answers->count++], wording, line, text, place));
    }
done:
    return st;
}

static enum status read_template(int32_t *template, const json_t *line, const char *place)
{
    const json_t *value = json_object_get(line, "template");
    enum status st = OK;

    *template = 0;
    if (value == NULL)
        goto done;
    REQUIRE(json_is_integer(value) && json_integer_value(value) >= 0
            && json_integer_value(value) < TEMPLATES_MOST, E_FORMAT, "%s: \"template\" is no whole "
            "number from 0 to %d", place, TEMPLATES_MOST - 1);
    *template = (int32_t)json_integer_value(value);
done:
    return st;
}

static enum status read_classes(int32_t classes[PROMPTS_CLASSES], const json_t *line,
                                const char *place)
{
    json_t *all = json_object_get(line, "classes");
    const char *name;
    json_t *value;
    enum status st = OK;

    for (int c = 0; c < PROMPTS_CLASSES; c++)
        classes[c] = -1;
    json_object_foreach(all, name, value) {
        int c = 0;
        while (c < PROMPTS_CLASSES && strcmp(CLASSES[c], name) != 0)
            c++;
        REQUIRE(c < PROMPTS_CLASSES, E_FORMAT, "%s: \"classes\" has \"%s\"; they are IO, S1, S1+1, "
                "S2 and END", place, name);
        REQUIRE(json_is_integer(value) && json_integer_value(value) >= 0
                && json_integer_value(value) <= INT32_MAX, E_FORMAT, "%s: \"classes\" has %s at no "
                "position", place, name);
        classes[c] = (int32_t)json_integer_value(value);
    }
done:
    return st;
}

void prompts_pair_free(struct prompts_pair *pair)
{
    free(pair->clean.ids);
    free(pair->corrupted.ids);
    free(pair->answers.ids);
    free(pair->wrong.ids);
    free(pair->positions.ids);
}

/* A text alone. */
static enum status read_text(struct prompts *prompts, const struct wording *wording,
                             const json_t *line, const char *place)
{
    struct prompts_pair pair = {0};
    enum status st;

    TRY(read_prompt(&pair.clean, wording, line, "text", place));
    pair.clean.count = min_int64(pair.clean.count, prompts->tokens);
    pair.corrupted = pair.clean;
    if (json_object_get(line, "positions") != NULL)
        TRY(read_ids(&pair.positions, json_object_get(line, "positions"), "positions", place));
    TRY(read_classes(pair.classes, line, place));
    TRY(prompts_add(prompts, wording, &pair, place));
done:
    free(pair.clean.ids);
    free(pair.positions.ids);
    return st;
}

static enum status read_pair(struct prompts *prompts, const struct wording *wording,
                             const json_t *line, const char *place)
{
    struct prompts_pair pair = {0};
    enum status st;

    TRY(read_prompt(&pair.clean, wording, line, "clean", place));
    TRY(read_prompt(&pair.corrupted, wording, line, "corrupted", place));
    TRY(read_answers(&pair.answers, wording, line, "answers", place));
    if (json_object_get(line, "wrong") != NULL)
        TRY(read_answers(&pair.wrong, wording, line, "wrong", place));
    if (json_object_get(line, "positions") != NULL)
        TRY(read_ids(&pair.positions, json_object_get(line, "positions"), "positions", place));
    TRY(read_template(&pair.template, line, place));
    TRY(read_classes(pair.classes, line, place));
    TRY(prompts_add(prompts, wording, &pair, place));
done:
    prompts_pair_free(&pair);
    return st;
}

static enum status read_line(struct prompts *prompts, const struct wording *wording,
                             const char *text, size_t bytes, const char *place)
{
    json_error_t error;
    json_t *line = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    enum status st;

    REQUIRE(json_is_object(line), E_FORMAT, "%s: this line is no JSON object%s%s", place,
            line == NULL ? ": " : "", line == NULL ? error.text : "");
    TRY((json_object_get(line, "text") != NULL ? read_text : read_pair)(prompts, wording, line,
                                                                        place));
done:
    json_decref(line);
    return st;
}

enum status prompts_read(struct prompts *prompts, const struct wording *wording, const char *path,
                         int64_t most)
{
    FILE *file = fopen(path, "r");
    char place[PATH_LENGTH + 32], *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    enum status st = OK;

    TRY(file != NULL ? OK : file_refuse("open", path));
    for (int number = 1; prompts->count < most && (bytes = text_line(&line, &capacity, file)) > 0;
         number++) {
        snprintf(place, sizeof place, "%s:%d", path, number);
        if ((ssize_t)strspn(line, " \t\r\n") < bytes)
            TRY(read_line(prompts, wording, line, (size_t)bytes, place));
    }
    TRY(!ferror(file) ? OK : file_refuse("read", path));
done:
    free(line);
    if (file != NULL)
        fclose(file);
    return st;
}

/* --- for all ranks ------------------------------------------------------------------- */

static void share_array(int32_t **array, int64_t count, MPI_Comm comm)
{
    if (!agree_is_root(comm))
        *array = grown(*array, count);
    MPI_Bcast(*array, comm_count(count), MPI_INT32_T, 0, comm);
}

static void share_lists(struct prompts_lists *lists, int64_t count, MPI_Comm comm)
{
    share_array(&lists->first, count + 1, comm);
    share_array(&lists->items, lists->first[count], comm);
}

void prompts_share(struct prompts *prompts, MPI_Comm comm)
{
    int64_t shape[] = { prompts->count, prompts->tokens };

    MPI_Bcast(shape, 2, MPI_INT64_T, 0, comm);
    prompts->count = shape[0];
    prompts->tokens = shape[1];
    share_array(&prompts->clean, shape[0] * shape[1], comm);
    share_array(&prompts->corrupted, shape[0] * shape[1], comm);
    share_array(&prompts->length, shape[0], comm);
    share_array(&prompts->template, shape[0], comm);
    share_array(&prompts->classes, shape[0] * PROMPTS_CLASSES, comm);
    share_lists(&prompts->answers, shape[0], comm);
    share_lists(&prompts->wrong, shape[0], comm);
    share_lists(&prompts->positions, shape[0], comm);
}
