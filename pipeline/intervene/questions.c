#include "intervene/questions.h"
#include "base/allocate.h"
#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A question, whose texts are the line's. */
struct question {
    const char *text, *choices[QUESTIONS_CHOICES];
    int         answer;
};

/* The ids of a letter: with a space before it, and without. */
struct letter {
    int32_t ids[2];
    int     count;
};

/* --- templates ----------------------------------------------------------------------- */

/* Is there a place for a text here?  Its length in the template, or 0; `which` is -1 for the
 * question, or the number of a choice. */
static size_t place_at(int *which, const char *at)
{
    static const char QUESTION[] = "{question}";

    *which = at[0] == '{' && at[1] != '\0' && at[2] == '}' ? at[1] - 'A' : QUESTIONS_CHOICES;
    if (0 <= *which && *which < QUESTIONS_CHOICES)
        return 3;
    *which = -1;
    return strncmp(at, QUESTION, sizeof QUESTION - 1) == 0 ? sizeof QUESTION - 1 : 0;
}

enum status questions_check(const char *template, const char *place)
{
    bool found[1 + QUESTIONS_CHOICES] = {0};
    enum status st = OK;
    int which;

    for (const char *at = template; *at != '\0'; at++)
        if (place_at(&which, at) > 0)
            found[1 + which] = true;
    for (int i = 0; i <= QUESTIONS_CHOICES; i++)
        REQUIRE(found[i], E_USAGE, "%s: the template must have {question}, {A}, {B}, {C} and {D}, "
                "where the question and its choices stand", place);
done:
    return st;
}

/* What follows the last place. */
static const char *tail_of(const char *template)
{
    const char *tail = template;
    int which;

    for (const char *at = template; *at != '\0'; at++) {
        const size_t length = place_at(&which, at);
        if (length > 0)
            tail = at + length;
    }
    return tail;
}

/* The prompt whose choice number i is order[i].  Caller frees. */
static char *fill(const char *template, const struct question *question, const int *order)
{
    char *prompt;
    size_t size;
    int which;
    FILE *out = text_open(&prompt, &size);

    for (const char *at = template; *at != '\0';) {
        const size_t length = place_at(&which, at);
        if (length > 0)
            fputs(which < 0 ? question->text : question->choices[order[which]], out);
        else
            fputc(*at, out);
        at += length > 0 ? length : 1;
    }
    text_close(out);
    return prompt;
}

/* --- letters ------------------------------------------------------------------------- */

static enum status find_letter(struct letter *letter, const struct wording *wording,
                               const char *tail, const char *name)
{
    struct wording_ids next = {0};
    enum status st = OK;

    for (int space = 0; space < 2; space++) {
        TRY(wording_of_next(&next, wording, tail, name + 1 - space));
        if (next.count == 1)
            letter->ids[letter->count++] = next.ids[0];
        free(next.ids);
        next = (struct wording_ids){0};
    }
    REQUIRE(letter->count > 0, E_USAGE, "'%s' is no single token of this model after the end of "
            "the template, '%s'; end it differently", name + 1, tail);
done:
    free(next.ids);
    return st;
}

static enum status find_letters(struct letter letters[QUESTIONS_CHOICES],
                                const struct wording *wording, const char *template)
{
    static const char *const NAMES[QUESTIONS_CHOICES] = { " A", " B", " C", " D" };
    enum status st = OK;

    for (int i = 0; i < QUESTIONS_CHOICES; i++)
        TRY(find_letter(&letters[i], wording, tail_of(template), NAMES[i]));
done:
    return st;
}

/* --- lines --------------------------------------------------------------------------- */

/* The number of the right choice; -1: none. */
static int answer_of(const json_t *value)
{
    const char *letter = json_string_value(value);
    const json_int_t number = letter != NULL && strlen(letter) == 1 ? letter[0] - 'A'
                              : json_is_integer(value)              ? json_integer_value(value)
                                                                    : -1;

    return 0 <= number && number < QUESTIONS_CHOICES ? (int)number : -1;
}

static enum status read_question(struct question *question, const json_t *line, const char *place)
{
    const json_t *choices = json_object_get(line, "choices");
    enum status st = OK;

    question->text = json_string_value(json_object_get(line, "question"));
    REQUIRE(question->text != NULL, E_FORMAT, "%s: \"question\" is missing, or no text", place);
    REQUIRE(json_array_size(choices) == QUESTIONS_CHOICES, E_FORMAT, "%s: \"choices\" must be a "
            "list of %d texts", place, QUESTIONS_CHOICES);
    for (int i = 0; i < QUESTIONS_CHOICES; i++) {
        question->choices[i] = json_string_value(json_array_get(choices, (size_t)i));
        REQUIRE(question->choices[i] != NULL, E_FORMAT, "%s: choice %d is no text", place, i);
    }
    question->answer = answer_of(json_object_get(line, "answer"));
    REQUIRE(question->answer >= 0, E_FORMAT, "%s: \"answer\" is missing, or neither a number from "
            "0 to 3 nor a letter from A to D", place);
done:
    return st;
}

static void add_ids(struct wording_ids *ids, const struct letter *letter)
{
    memcpy(ids->ids + ids->count, letter->ids, (size_t)letter->count * sizeof *ids->ids);
    ids->count += letter->count;
}

/* A question in one order. */
static enum status add_order(struct prompts *prompts, const struct wording *wording,
                             const char *prompt, const struct letter *letters, int right,
                             const char *place)
{
    int32_t answers[2], wrong[2 * QUESTIONS_CHOICES];
    struct prompts_pair pair = { .answers = { answers, 0 }, .wrong = { wrong, 0 } };
    enum status st;

    for (int c = 0; c < PROMPTS_CLASSES; c++)
        pair.classes[c] = -1;
    for (int i = 0; i < QUESTIONS_CHOICES; i++)
        add_ids(i == right ? &pair.answers : &pair.wrong, &letters[i]);
    TRY(wording_of_prompt(&pair.clean, wording, prompt));
    pair.corrupted = pair.clean;
    TRY(prompts_add(prompts, wording, &pair, place));
done:
    free(pair.clean.ids);
    return st;
}

/* The next order of the choices, of those by size. */
static void next_order(int *order)
{
    int i = QUESTIONS_CHOICES - 2, k = QUESTIONS_CHOICES - 1;

    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return;
    while (order[k] < order[i])
        k--;
    const int large = order[k];
    order[k] = order[i];
    order[i] = large;
    for (int a = i + 1, b = QUESTIONS_CHOICES - 1; a < b; a++, b--) {
        const int first = order[a];
        order[a] = order[b];
        order[b] = first;
    }
}

static enum status add_question(struct prompts *prompts, const struct wording *wording,
                                const char *template, const struct question *question,
                                const struct letter *letters, const char *place)
{
    int order[QUESTIONS_CHOICES] = { 0, 1, 2, 3 };
    enum status st = OK;

    for (int o = 0; o < QUESTIONS_ORDERS; o++) {
        char *prompt = fill(template, question, order);
        int right = 0;
        while (order[right] != question->answer)
            right++;
        st = add_order(prompts, wording, prompt, letters, right, place);
        free(prompt);
        TRY(st);
        next_order(order);
    }
done:
    return st;
}

static enum status add_line(struct prompts *prompts, const struct wording *wording,
                            const char *template, const struct letter *letters, const char *text,
                            const char *place)
{
    json_t *line = json_loads(text, 0, NULL);
    struct question question;
    enum status st;

    REQUIRE(json_is_object(line), E_FORMAT, "%s: the line is no JSON object", place);
    TRY(read_question(&question, line, place));
    TRY(add_question(prompts, wording, template, &question, letters, place));
done:
    json_decref(line);
    return st;
}

enum status questions_read(struct prompts *prompts, const struct wording *wording,
                           const char *path, const char *template, int64_t most)
{
    struct letter letters[QUESTIONS_CHOICES] = {0};
    FILE *in = fopen(path, "r");
    char *line = NULL, place[PATH_LENGTH + 32];
    size_t capacity = 0;
    int64_t number = 0;
    enum status st;

    TRY(in != NULL ? OK : file_refuse("open", path));
    TRY(find_letters(letters, wording, template));
    while (prompts->count < most * QUESTIONS_ORDERS && text_line(&line, &capacity, in) >= 0) {
        number++;
        snprintf(place, sizeof place, "%s:%lld", path, (long long)number);
        if (line[strspn(line, " \t\r\n")] != '\0')
            TRY(add_line(prompts, wording, template, letters, line, place));
    }
    TRY(!ferror(in) ? OK : file_refuse("read", path));
done:
    free(line);
    if (in != NULL)
        fclose(in);
    return st;
}

/* --- answers ------------------------------------------------------------------------- */

/* Is a question answered right in all orders? */
static bool is_known(const double *right)
{
    bool known = true;

    for (int o = 0; o < QUESTIONS_ORDERS; o++)
        known = known && right[o] > 0;
    return known;
}

void questions_keep_known(struct prompts *prompts, const double *right)
{
    bool *kept = allocate(prompts->count, sizeof *kept);

    for (int64_t p = 0; p < prompts->count; p++)
        kept[p] = is_known(right + p / QUESTIONS_ORDERS * QUESTIONS_ORDERS);
    prompts_keep(prompts, kept);
    free(kept);
}

struct questions_accuracy questions_accuracy(const double *right, int64_t questions)
{
    double all = 0, given = 0;

    for (int64_t i = 0; i < questions * QUESTIONS_ORDERS; i++) {
        all += right[i];
        given += i % QUESTIONS_ORDERS == 0 ? right[i] : 0;
    }
    return (struct questions_accuracy){ all / (double)(questions * QUESTIONS_ORDERS),
                                        given / (double)questions };
}
