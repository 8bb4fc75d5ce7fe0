/* Prompts made by rule, against what each rule says. */
#include "prompts/generators.h"
#include "scratch.h"

static struct wording words;

static int open_words(void **state)
{
    struct suite suite = { .model = { .path = (char *)"jobs/circuits/tiny-gpt2",
                                      .tokenizer = (char *)"" } };
    struct lm_config config;

    if (make_scratch(state) != 0 || config_read(&config, suite.model.path) != OK)
        return 1;
    return wording_open(&words, &suite, &config) != OK;
}

static int close_words(void **state)
{
    wording_close(&words);
    return remove_scratch(state);
}

static enum status make_from(struct prompts *prompts, enum circuit_generator generator,
                             const char *data, int64_t count, int64_t seed)
{
    const struct suite_circuit circuit = { .generator = generator, .data = (char *)(size_t)data,
                                           .count = count, .seed = seed, .context = 32 };

    refuse_clear();
    prompts_make(prompts, circuit.context);
    return generators_make(prompts, &words, &circuit);
}

static void make_prompts(struct prompts *prompts, enum circuit_generator generator,
                         const char *data, int64_t seed)
{
    if (make_from(prompts, generator, data, 60, seed) != OK)
        fail_msg("%s", refuse_reason());
    prompts_trim(prompts);
    assert_int_equal(prompts->count, 60);
}

static const int32_t *clean_of(const struct prompts *prompts, int64_t p)
{
    return prompts->clean + p * prompts->tokens;
}

static const int32_t *corrupted_of(const struct prompts *prompts, int64_t p)
{
    return prompts->corrupted + p * prompts->tokens;
}

/* The one answer, or wrong one, of a prompt. */
static int32_t only(const struct prompts_lists *lists, int64_t p)
{
    const int32_t *items;

    assert_int_equal(prompts_list(lists, p, &items), 1);
    return items[0];
}

static int count_of(const int32_t *ids, int64_t count, int32_t id)
{
    int found = 0;

    for (int64_t i = 0; i < count; i++)
        found += ids[i] == id;
    return found;
}

/* The subject stands twice, the object once, in the places that the classes say; the corrupted
 * prompt has three other names there, and is the same elsewhere. */
static void indirect_objects_are_three_names(void **state)
{
    struct prompts prompts;
    int first[2] = {0};

    (void)state;
    make_prompts(&prompts, GENERATOR_IOI, "jobs/circuits/ioi.json", 1);
    for (int64_t p = 0; p < prompts.count; p++) {
        const int32_t *clean = clean_of(&prompts, p), *corrupted = corrupted_of(&prompts, p);
        const int32_t *class = prompts.classes + p * PROMPTS_CLASSES;
        const int32_t object = only(&prompts.answers, p), subject = only(&prompts.wrong, p);
        const int32_t length = prompts.length[p];
        assert_int_equal(clean[0], words.bos);
        assert_int_equal(count_of(clean, length, object), 1);
        assert_int_equal(count_of(clean, length, subject), 2);
        assert_int_equal(clean[class[PROMPTS_IO]], object);
        assert_int_equal(clean[class[PROMPTS_S1]], subject);
        assert_int_equal(clean[class[PROMPTS_S2]], subject);
        assert_true(class[PROMPTS_S1] < class[PROMPTS_S2]);
        assert_true(class[PROMPTS_IO] < class[PROMPTS_S2]);
        assert_int_equal(class[PROMPTS_S1_NEXT], class[PROMPTS_S1] + 1);
        assert_int_equal(class[PROMPTS_END], length - 1);
        for (int32_t t = 0; t < length; t++) {
            const bool name = t == class[PROMPTS_IO] || t == class[PROMPTS_S1]
                              || t == class[PROMPTS_S2];
            assert_int_equal(clean[t] != corrupted[t], name);
            if (name)
                assert_int_equal(count_of(corrupted, length, corrupted[t]), 1);
        }
        assert_int_equal(count_of(corrupted, length, object)
                         + count_of(corrupted, length, subject), 0);
        first[class[PROMPTS_IO] < class[PROMPTS_S1]]++;
    }
    assert_int_equal(first[0], 30);         /* ABBA and BABA, as many of each */
    assert_int_equal(prompts_templates(&prompts), 10);
    prompts_free(&prompts);
}

/* " 1732" is the tokens " 17" and "32"; the answers are the ends above 32. */
static void later_years_are_larger_ends(void **state)
{
    struct prompts prompts;
    int32_t end[100];

    (void)state;
    for (int y = 0; y < 100; y++) {
        struct wording_ids ids;
        char text[16];
        snprintf(text, sizeof text, " 17%02d", y);
        assert_int_equal(wording_of_next(&ids, &words, "year", text), OK);
        end[y] = ids.count == 2 ? ids.ids[1] : -1;
        free(ids.ids);
    }
    make_prompts(&prompts, GENERATOR_GREATER_THAN, "jobs/circuits/greater_than.json", 1);
    for (int64_t p = 0; p < prompts.count; p++) {
        const int32_t *clean = clean_of(&prompts, p), *corrupted = corrupted_of(&prompts, p);
        const int32_t length = prompts.length[p], *later, *others;
        const int64_t above = prompts_list(&prompts.answers, p, &later);
        const int64_t rest = prompts_list(&prompts.wrong, p, &others);
        int at = 0, year = 2, differ = 0;
        while (clean[at] == corrupted[at])
            at++;
        while (year < 100 && end[year] != clean[at])
            year++;
        assert_true(2 <= year && year <= 98);
        assert_int_equal(corrupted[at], end[1]);
        assert_int_equal(clean[at - 1], clean[length - 1]);     /* the century, twice */
        for (int32_t t = 0; t < length; t++)
            differ += clean[t] != corrupted[t];
        assert_int_equal(differ, 1);
        for (int y = 0; y < 100; y++) {
            assert_int_equal(count_of(later, above, end[y]), end[y] >= 0 && y > year);
            assert_int_equal(count_of(others, rest, end[y]), end[y] >= 0 && y <= year);
        }
    }
    prompts_free(&prompts);
}

static void repetitions_repeat_all_but_the_answer(void **state)
{
    struct prompts prompts;

    (void)state;
    make_prompts(&prompts, GENERATOR_INDUCTION, "", 1);
    assert_int_equal(prompts.tokens, 32);
    for (int64_t p = 0; p < prompts.count; p++) {
        const int32_t *clean = clean_of(&prompts, p), *corrupted = corrupted_of(&prompts, p);
        assert_int_equal(prompts.length[p], 32);
        assert_int_equal(clean[0], words.bos);
        assert_int_equal(count_of(clean, 32, words.bos), 1);
        for (int t = 1; t < 16; t++)
            assert_int_equal(clean[t], clean[t + 16]);
        assert_int_equal(only(&prompts.answers, p), clean[16]);
        assert_int_not_equal(only(&prompts.wrong, p), clean[16]);
        assert_true(count_of(clean + 1, 16, only(&prompts.wrong, p)) == 1);
        for (int t = 1; t < 32; t++)
            assert_int_equal(count_of(corrupted, 32, corrupted[t]), 1);
        assert_memory_equal(clean + 17, corrupted + 17, 15 * sizeof *clean);
    }
    prompts_free(&prompts);
}

static int32_t id_of(const char *word)
{
    struct wording_ids ids;
    int32_t id;

    assert_int_equal(wording_of_next(&ids, &words, "the", word), OK);
    assert_int_equal(ids.count, 1);
    id = ids.ids[0];
    free(ids.ids);
    return id;
}

/* Of the list of days, the first of the file. */
static void lists_go_on(void **state)
{
    static const char *const DAYS[] = { " Monday", " Tuesday", " Wednesday", " Thursday",
                                        " Friday", " Saturday", " Sunday" };
    struct prompts prompts;
    bool wraps = false;

    (void)state;
    make_prompts(&prompts, GENERATOR_SUCCESSOR, "jobs/circuits/successor.json", 1);
    for (int64_t p = 0; p < prompts.count; p += 5) {
        const int32_t *clean = clean_of(&prompts, p), *corrupted = corrupted_of(&prompts, p);
        const int32_t *wrong;
        int day = 0;
        assert_int_equal(prompts.template[p], 0);
        assert_int_equal(prompts.length[p], 4);
        while (day < 7 && id_of(DAYS[day]) != clean[1])
            day++;
        assert_true(day < 7);
        wraps = wraps || day > 3;
        for (int w = 0; w < 3; w++)
            assert_int_equal(clean[1 + w], id_of(DAYS[(day + w) % 7]));
        assert_int_equal(only(&prompts.answers, p), id_of(DAYS[(day + 3) % 7]));
        assert_int_equal(prompts_list(&prompts.wrong, p, &wrong), 6);
        assert_int_equal(count_of(wrong, 6, only(&prompts.answers, p)), 0);
        for (int w = 1; w < 3; w++)
            for (int d = 0; d < 7; d++)
                if (corrupted[w] == id_of(DAYS[d]))
                    assert_int_not_equal(corrupted[w + 1], id_of(DAYS[(d + 1) % 7]));
    }
    assert_true(wraps);
    prompts_free(&prompts);
}

/* A prompt depends on its number and the seed alone. */
static void draws_follow_the_seed(void **state)
{
    struct prompts one, same, fewer, other;
    const char *data = "jobs/circuits/ioi.json";

    (void)state;
    make_prompts(&one, GENERATOR_IOI, data, 1);
    make_prompts(&same, GENERATOR_IOI, data, 1);
    make_prompts(&other, GENERATOR_IOI, data, 2);
    assert_int_equal(make_from(&fewer, GENERATOR_IOI, data, 7, 1), OK);
    const size_t bytes = (size_t)(one.count * one.tokens) * sizeof(int32_t);
    assert_memory_equal(one.clean, same.clean, bytes);
    assert_memory_equal(one.corrupted, same.corrupted, bytes);
    assert_memory_not_equal(one.clean, other.clean, bytes);
    assert_memory_equal(clean_of(&one, 6), fewer.clean + 6 * fewer.tokens,
                        (size_t)one.tokens * sizeof(int32_t));
    prompts_free(&other);
    prompts_free(&fewer);
    prompts_free(&same);
    prompts_free(&one);
}

#define NAMES "\"NAME\": [\"Anna\", \"Ben\", \"Carl\", \"Dean\", \"Emma\"%s]"
#define HEAD(how) "{\"several_tokens\": \"" how "\", \"lists\": {" NAMES "}, \"templates\": "
#define GOOD "[\"When [NAME] and [NAME] met, [NAME] gave\"]}"

/* A file of words for ioi, a name more in its list, and words of the refusal. */
static const struct { const char *file, *more, *words[3]; } REFUSALS[] = {
    { HEAD("refuse") GOOD, ", \"Alexandria\"", { "'Alexandria' in NAME is", "tokens", "drop" } },
    { HEAD("perhaps") GOOD, "", { "several_tokens" } },
    { HEAD("drop") GOOD, ", \"Ben\"", { "NAME has 'Ben' twice" } },
    { HEAD("drop") GOOD, ", 3", { "NAME has an item that is no text" } },
    { HEAD("drop") "[]}", "", { "\"templates\" is missing" } },
    { HEAD("drop") "[3]}", "", { "template 1 is no text" } },
    { HEAD("drop") "[\"[NAME], [NAME] and [NAME] in [PLACE]\"]}", "", { "template 1", "[PLACE]",
                                                                       "no list" } },
    { HEAD("drop") "[\"[NAME\"]}", "", { "template 1 has" } },
    { HEAD("drop") "[\"When [NAME] and [NAME] met\"]}", "", { "template 1", "three names" } },
    { "{\"several_tokens\": \"drop\", \"lists\": {\"NAME\": [\"Anna\", \"Alexandria\"]}, "
      "\"templates\": " GOOD "%s", "", { "NAME has 1 words", "5 are needed" } },
    { "{\"several_tokens\": \"drop\", \"lists\": {}, \"templates\": " GOOD "%s", "",
      { "no list NAME" } },
    { "[%s]", "", { "x.json:1", "no JSON object" } },
};

static void refuses_words_in_one_sentence(void **state)
{
    const char *path = in_scratch("x.json");
    struct prompts prompts;
    char text[512];

    (void)state;
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, REFUSALS[r].file, REFUSALS[r].more);
#pragma GCC diagnostic pop
        assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
        assert_int_equal(make_from(&prompts, GENERATOR_IOI, path, 4, 1), E_FORMAT);
        for (int w = 0; w < 3 && REFUSALS[r].words[w] != NULL; w++)
            if (strstr(refuse_reason(), REFUSALS[r].words[w]) == NULL)
                fail_msg("'%s' is not in: %s", REFUSALS[r].words[w], refuse_reason());
        prompts_free(&prompts);
    }
    assert_int_equal(make_from(&prompts, GENERATOR_IOI, "", 4, 1), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "circuit.data"));
    prompts_free(&prompts);
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indirect_objects_are_three_names),
        cmocka_unit_test(later_years_are_larger_ends),
        cmocka_unit_test(repetitions_repeat_all_but_the_answer),
        cmocka_unit_test(lists_go_on),
        cmocka_unit_test(draws_follow_the_seed),
        cmocka_unit_test(refuses_words_in_one_sentence),
    };

    return cmocka_run_group_tests(tests, open_words, close_words);
}
