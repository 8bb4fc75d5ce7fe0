/* Prompts: files of pairs, words as single tokens, refusals in words. */
#include "prompts/prompts.h"
#include "scratch.h"

static struct wording open_words(void)
{
    struct suite suite = { .model = { .path = (char *)"jobs/circuits/tiny-gpt2",
                                      .tokenizer = (char *)"" } };
    struct lm_config config;
    struct wording wording;

    assert_int_equal(config_read(&config, suite.model.path), OK);
    assert_int_equal(wording_open(&wording, &suite, &config), OK);
    return wording;
}

static enum status read_text(struct prompts *prompts, const char *text, int64_t most)
{
    struct wording wording = open_words();
    const char *path = in_scratch("x.jsonl");
    enum status st;

    refuse_clear();
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    prompts_make(prompts, 12);
    st = prompts_read(prompts, &wording, path, most);
    wording_close(&wording);
    return st;
}

/* Both prompts are the text, of which a row takes twelve tokens. */
static void texts_are_cut_to_a_row(void **state)
{
    struct prompts prompts;
    const int32_t *items;

    (void)state;
    if (read_text(
            &prompts,
            "{\"text\": \"When Frank\"}\n"
            "{\"text\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], \"positions\": [0, 11]}\n",
            9)
        != OK)
        fail_msg("%s", refuse_reason());
    assert_true(prompts.count == 2 && prompts.length[0] == 3 && prompts.length[1] == 12);
    assert_true(prompts.clean[0] == 2047 && prompts.clean[1] == 1073 && prompts.clean[2] == 878);
    assert_true(prompts.clean[12] == 2047 && prompts.clean[23] == 11);
    assert_memory_equal(prompts.clean, prompts.corrupted, 24 * sizeof *prompts.clean);
    assert_int_equal(prompts_list(&prompts.answers, 0, &items), 0);
    assert_int_equal(prompts_list(&prompts.positions, 0, &items), 1);
    assert_int_equal(items[0], 2);
    assert_int_equal(prompts_list(&prompts.positions, 1, &items), 2);
    assert_true(items[0] == 0 && items[1] == 11);
    prompts_free(&prompts);
}

/* The ids are those of tokenizer.json: BOS 2047, and words as golden/circuits/ioi.h5 has them. */
static void reads_texts_and_ids(void **state)
{
    static const int32_t CLEAN[] = { 2047, 1073, 878, 483, 894 };
    static const int32_t CORRUPTED[] = { 2047, 1073, 785, 483, 882 };
    struct prompts prompts;
    const int32_t *items;

    (void)state;
    if (read_text(&prompts,
        "{\"clean\": \"When Frank and Jean\", \"corrupted\": [1073, 785, 483, 882], "
        "\"answers\": [\" walked\", \" handed\"], \"wrong\": [7], \"positions\": [2, 4]}\n"
        "\n"
        "{\"clean\": \"<|endoftext|>When\", \"corrupted\": [2047, 5], \"answers\": [3], "
        "\"template\": 2, \"classes\": {\"S1+1\": 1}, \"more\": 1}\n", 9) != OK)
        fail_msg("%s", refuse_reason());
    prompts_trim(&prompts);
    assert_int_equal(prompts.count, 2);
    assert_int_equal(prompts.tokens, 5);
    assert_memory_equal(prompts.clean, CLEAN, sizeof CLEAN);
    assert_memory_equal(prompts.corrupted, CORRUPTED, sizeof CORRUPTED);
    assert_int_equal(prompts.length[1], 2);                     /* BOS is not put there twice */
    assert_int_equal(prompts.clean[5], 2047);
    assert_int_equal(prompts.clean[6], 1073);
    assert_int_equal(prompts.clean[7], 2047);                   /* padding */
    assert_int_equal(prompts_templates(&prompts), 3);
    assert_int_equal(prompts.classes[PROMPTS_CLASSES + PROMPTS_S1_NEXT], 1);
    assert_int_equal(prompts.classes[PROMPTS_CLASSES + PROMPTS_END], -1);
    assert_int_equal(prompts_list(&prompts.answers, 0, &items), 2);
    assert_int_equal(items[0], 1072);
    assert_int_equal(items[1], 1074);
    assert_int_equal(prompts_list(&prompts.positions, 0, &items), 2);
    assert_int_equal(items[1], 4);
    assert_int_equal(prompts_list(&prompts.positions, 1, &items), 1);
    assert_int_equal(items[0], 1);                              /* the last token */
    prompts_free(&prompts);
}

static void takes_no_more_than_asked(void **state)
{
    static const char LINE[] = "{\"clean\": [1, 2], \"corrupted\": [3, 4], \"answers\": [5]}\n";
    struct prompts prompts;
    char text[3 * sizeof LINE];

    (void)state;
    snprintf(text, sizeof text, "%s%s%s", LINE, LINE, "no JSON");
    assert_int_equal(read_text(&prompts, text, 2), OK);
    assert_int_equal(prompts.count, 2);
    prompts_free(&prompts);
}

/* A line, and words of the sentence that refuses it. */
static const struct { const char *line, *words[3]; } REFUSALS[] = {
    { "[1]", { "x.jsonl:2", "no JSON object" } },
    { "{\"clean\": \"a\"", { "x.jsonl:2", "no JSON object" } },
    { "{\"corrupted\": [1], \"answers\": [1]}", { "x.jsonl:2", "\"clean\" is missing" } },
    { "{\"clean\": [1], \"answers\": [1]}", { "x.jsonl:2", "\"corrupted\" is missing" } },
    { "{\"clean\": [1], \"corrupted\": [1]}", { "x.jsonl:2", "\"answers\" is missing" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [\" to\", 3]}", { "x.jsonl:2",
                                                                        "\"answers\"", "text" } },
    { "{\"clean\": [1.5], \"corrupted\": [1], \"answers\": [1]}", { "x.jsonl:2", "\"clean\"",
                                                                  "no whole number" } },
    { "{\"clean\": [1, 2], \"corrupted\": [1], \"answers\": [1]}", { "x.jsonl:2",
                                                                   "has 3 tokens", "one 2" } },
    { "{\"clean\": [2048], \"corrupted\": [1], \"answers\": [1]}", { "x.jsonl:2", "id 2048",
                                                                   "knows 2048" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [9999]}", { "x.jsonl:2", "id 9999",
                                                                   "\"answers\"" } },
    { "{\"clean\": \"When Frank\", \"corrupted\": \"When Jean\", \"answers\": [\" Alexandria\"]}",
      { "x.jsonl:2", "' Alexandria' is ", "Alex" } },
    { "{\"clean\": \"Wh\", \"corrupted\": \"Th\", \"answers\": [\"en\"]}",
      { "x.jsonl:2", "'en' is 0 tokens", "must be one" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [1], \"positions\": [2]}",
      { "x.jsonl:2", "\"positions\" has 2", "0 to 1" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [1], \"template\": -1}",
      { "x.jsonl:2", "\"template\"" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [1], \"classes\": {\"S3\": 1}}",
      { "x.jsonl:2", "\"S3\"", "S1+1" } },
    { "{\"clean\": [1], \"corrupted\": [1], \"answers\": [1], \"classes\": {\"S1\": 2}}",
      { "x.jsonl:2", "S1 at 2" } },
    { "{\"clean\": [1,1,1,1,1,1,1,1,1,1,1,1], \"corrupted\": [1,1,1,1,1,1,1,1,1,1,1,1], "
      "\"answers\": [1]}", { "x.jsonl:2", "has 13 tokens", "'context', which is 12" } },
};

static void refuses_in_one_sentence(void **state)
{
    struct prompts prompts;
    char text[512];

    (void)state;
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
        snprintf(text, sizeof text, "\n%s\n", REFUSALS[r].line);
        assert_int_equal(read_text(&prompts, text, 9), E_FORMAT);
        for (int w = 0; w < 3 && REFUSALS[r].words[w] != NULL; w++)
            if (strstr(refuse_reason(), REFUSALS[r].words[w]) == NULL)
                fail_msg("'%s' is not in: %s", REFUSALS[r].words[w], refuse_reason());
        prompts_free(&prompts);
    }
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_cut_to_a_row),
        cmocka_unit_test(reads_texts_and_ids),
        cmocka_unit_test(takes_no_more_than_asked),
        cmocka_unit_test(refuses_in_one_sentence),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
