/* Tokenizers give the ids of a reference (the SentencePiece library's own Python module; GPT-2's
 * definition in Python, tests/golden/gpt2-random/tokenizer.py), and take any bytes. */
#include "base/allocate.h"
#include "corpus/tokenizer.h"
#include "corpus/tokenizer_kind.h"
#include "tests/unit/scratch.h"

#include <jansson.h>

static const char MODEL[] = "jobs/demo/tiny-gemma2/tokenizer.model";
static const char CASES[] = "tests/golden/tiny-gemma2/tokenizer_cases.json";
static const char GPT2[] = "tests/golden/gpt2-random/tokenizer.json";
static const char GPT2_CASES[] = "tests/golden/gpt2-random/tokenizer_cases.json";

/* Every case there and back: this model normalises nothing away. */
static void gives_the_ids_of_the_reference(void **state)
{
    json_t *cases = json_load_file(CASES, JSON_ALLOW_NUL, NULL), *entry;
    struct tokenizer tokenizer;
    size_t i;

    (void)state;
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
    assert_true(json_array_size(cases) > 10);
    json_array_foreach(cases, i, entry) {
        const json_t *text = json_object_get(entry, "text");
        const json_t *expected = json_object_get(entry, "ids");
        const int64_t length = (int64_t)json_string_length(text);
        int32_t *ids;
        int64_t count, bytes;
        char *back;

        assert_int_equal(tokenizer_encode(&tokenizer, json_string_value(text), length, &ids,
                                          &count), OK);
        assert_int_equal(count, json_array_size(expected));
        for (int64_t t = 0; t < count; t++)
            assert_int_equal(ids[t], json_integer_value(json_array_get(expected, (size_t)t)));
        assert_int_equal(tokenizer_decode(&tokenizer, ids, count, &back, &bytes), OK);
        assert_int_equal(bytes, length);
        assert_memory_equal(back, json_string_value(text), (size_t)length + 1);
        free(back);
        free(ids);
    }
    tokenizer_close(&tokenizer);
    json_decref(cases);
}

/* The licence of this project, again and again, with lines of other scripts and of odd bytes. */
static char *long_text(int64_t *bytes)
{
    static const char ODD[] =
        "\n\xe2\x96\x81 \xc3\xa9t\xc3\xa9\n\xe6\x96\x87\xe5\xad\x97\n\xff\n \n\n\n\t  x";
    char *licence, *text;
    int64_t size;

    assert_int_equal(file_read("LICENSE", &licence, &size), OK);
    text = allocate(8 * (size + 32), 1);
    *bytes = 0;
    for (int i = 0; i < 8; i++) {
        memcpy(text + *bytes, licence + i, (size_t)(size - i));
        memcpy(text + *bytes + size - i, ODD, sizeof ODD - 1);
        *bytes += size - i + (int64_t)sizeof ODD - 1;
    }
    free(licence);
    return text;
}

/* Long texts are cut, since the library takes much memory; the text here is short enough for it to
 * be encoded as a whole, and is cut by hand. */
static void gives_the_same_ids_to_a_text_that_is_cut(void **state)
{
    int64_t bytes, whole_count, at_id = 0, parts = 0;
    char *text = long_text(&bytes);
    struct tokenizer tokenizer;
    int32_t *whole;

    (void)state;
    assert_true(bytes < 1 << 20);
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
    assert_int_equal(tokenizer_encode(&tokenizer, text, bytes, &whole, &whole_count), OK);
    for (int64_t at = 0, part; at < bytes; at += part, parts++) {
        int32_t *ids;
        int64_t count;

        part = sentencepiece_cut(tokenizer.model, text + at, bytes - at, 50);
        assert_int_equal(tokenizer_encode(&tokenizer, text + at, part, &ids, &count), OK);
        assert_true(at_id + count <= whole_count);
        assert_memory_equal(ids, whole + at_id, (size_t)count * sizeof *ids);
        at_id += count;
        free(ids);
    }
    assert_int_equal(at_id, whole_count);
    if (parts < bytes / 400)
        fail_msg("only %lld parts of %lld bytes", (long long)parts, (long long)bytes);
    free(whole);
    free(text);
    tokenizer_close(&tokenizer);
}

/* Bytes of a string of hexadecimal digits.  Caller frees. */
static char *from_hex(const json_t *hex, int64_t *bytes)
{
    const char *digits = json_string_value(hex);
    char *made;

    *bytes = (int64_t)json_string_length(hex) / 2;
    made = allocate(*bytes + 1, 1);
    for (int64_t i = 0; i < *bytes; i++) {
        unsigned value;
        assert_int_equal(sscanf(digits + 2 * i, "%2x", &value), 1);
        made[i] = (char)value;
    }
    return made;
}

/* The ids of the reference with the post-processor are those without it, after BOS. */
static void check_special(const struct tokenizer *tokenizer, const json_t *entry)
{
    const json_t *special = json_object_get(entry, "ids_special");
    const size_t count = json_array_size(json_object_get(entry, "ids"));

    if (special == NULL)
        return;
    assert_int_equal(json_array_size(special), count + (tokenizer->bos >= 0));
    if (tokenizer->bos >= 0)
        assert_int_equal(json_integer_value(json_array_get(special, 0)), tokenizer->bos);
}

/* Words of every kind, added tokens, long runs, random text and bytes; and back to the text, in
 * which U+FFFD stands for what was not UTF-8. */
static void check_cases(const struct tokenizer *tokenizer, const char *path)
{
    json_t *cases = json_load_file(path, 0, NULL), *entry;
    size_t i;

    assert_true(json_array_size(cases) > 100);
    json_array_foreach(cases, i, entry) {
        const json_t *expected = json_object_get(entry, "ids");
        int64_t count, bytes, text_bytes, back_bytes;
        char *given = from_hex(json_object_get(entry, "bytes"), &bytes);
        char *text = from_hex(json_object_get(entry, "text"), &text_bytes), *back;
        int32_t *ids;

        assert_int_equal(tokenizer_encode(tokenizer, given, bytes, &ids, &count), OK);
        if (count != (int64_t)json_array_size(expected))
            fail_msg("case %zu of %s has %lld ids", i, path, (long long)count);
        for (int64_t t = 0; t < count; t++)
            if (ids[t] != json_integer_value(json_array_get(expected, (size_t)t)))
                fail_msg("id %lld of case %zu of %s is %d", (long long)t, i, path, ids[t]);
        check_special(tokenizer, entry);
        assert_int_equal(tokenizer_decode(tokenizer, ids, count, &back, &back_bytes), OK);
        if (back_bytes != text_bytes)
            fail_msg("case %zu of %s decodes to \"%s\"", i, path, back);
        assert_memory_equal(back, text, (size_t)text_bytes + 1);
        free(back);
        free(text);
        free(given);
        free(ids);
    }
    json_decref(cases);
}

static void gives_the_ids_of_gpt2s_definition(void **state)
{
    struct tokenizer tokenizer;

    (void)state;
    assert_int_equal(tokenizer_open(&tokenizer, GPT2), OK);
    assert_int_equal(tokenizer.vocabulary, 300);
    check_cases(&tokenizer, GPT2_CASES);
    tokenizer_close(&tokenizer);
}

/* Those of other families; tests/golden/README.md says who gave the ids. */
static void gives_the_ids_of_hugging_faces_library(void **state)
{
    static const char *const KINDS[] = {
        "tests/golden/tokenizers/gemma3", "tests/golden/tokenizers/gpt-neox",
        "tests/golden/tokenizers/llama2-normalized", "tests/golden/tokenizers/llama3",
        "tests/golden/tokenizers/mistral", "tests/golden/tokenizers/mistral-v3",
        "tests/golden/tokenizers/olmo2", "tests/golden/tokenizers/phi3",
        "tests/golden/tokenizers/qwen2", "tests/golden/tokenizers/qwen3",
        "tests/golden/tokenizers/tekken",
    };

    (void)state;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        char path[PATH_LENGTH];
        struct tokenizer tokenizer;

        path_print(path, "%s/tokenizer.json", KINDS[i]);
        if (tokenizer_open(&tokenizer, path) != OK)
            fail_msg("%s", refuse_reason());
        path_print(path, "%s/tokenizer_cases.json", KINDS[i]);
        check_cases(&tokenizer, path);
        tokenizer_close(&tokenizer);
    }
}

/* Open the tokenizer `base` with `text` in place of what comes from `from` to `to`, the first of
 * which is kept. */
static enum status open_changed_of(const char *base, struct tokenizer *tokenizer, const char *from,
                                   const char *to, const char *text)
{
    const char *path = in_scratch("tokenizer.json");
    char *file, *begin, *end, *changed;
    int64_t bytes, length;
    enum status st;

    assert_int_equal(file_read(base, &file, &bytes), OK);
    begin = strstr(file, from);
    if (begin == NULL)
        fail_msg("%s has no %s", base, from);
    begin += strlen(from);
    end = strstr(begin, to);
    assert_non_null(end);
    length = asprintf(&changed, "%.*s%s%s", (int)(begin - file), file, text, end);
    assert_int_equal(file_write(path, changed, length), OK);
    st = tokenizer_open(tokenizer, path);
    if (st != OK && strstr(refuse_reason(), path) == NULL)
        fail_msg("\"%s\" does not name the file", refuse_reason());
    free(changed);
    free(file);
    return st;
}

static enum status open_changed(struct tokenizer *tokenizer, const char *from, const char *to,
                                const char *text)
{
    return open_changed_of(GPT2, tokenizer, from, to, text);
}

/* Newer files have pairs where older ones have two names in one string. */
static void reads_merges_in_both_forms(void **state)
{
    json_t *root = json_load_file(GPT2, 0, NULL), *model = json_object_get(root, "model");
    json_t *merges = json_object_get(model, "merges"), *pairs = json_array(), *entry;
    struct tokenizer tokenizer;
    char *text;
    size_t i;

    (void)state;
    json_array_foreach(merges, i, entry) {
        const char *both = json_string_value(entry), *space = strchr(both, ' ');
        json_array_append_new(pairs, json_pack("[s%, s]", both, (size_t)(space - both), space + 1));
    }
    text = json_dumps(pairs, 0);
    assert_int_equal(open_changed(&tokenizer, "\"merges\": ", "\n}\n}", text), OK);
    check_cases(&tokenizer, GPT2_CASES);
    tokenizer_close(&tokenizer);
    free(text);
    json_decref(pairs);
    json_decref(root);
}

/* Of added tokens that begin alike the longest counts; ids behind the vocabulary are theirs. */
static void finds_the_longest_added_token(void **state)
{
    static const char ADDED[] = "[{\"id\": 299, \"content\": \"<|endoftext|>\"},"
                                "{\"id\": 301, \"content\": \"<|end\"},"
                                "{\"id\": 302, \"content\": \"<|endoftext|><\"}]";
    static const char TEXT[] = "<|end<|endoftext|><|7";
    const int32_t expected[] = { 301, 302 };
    struct tokenizer tokenizer;
    int64_t count, bytes;
    int32_t *ids;
    char *text;

    (void)state;
    assert_int_equal(open_changed(&tokenizer, "\"added_tokens\": ", ",\n\"normalizer", ADDED), OK);
    assert_int_equal(tokenizer.vocabulary, 303);
    assert_int_equal(tokenizer_encode(&tokenizer, TEXT, sizeof TEXT - 1, &ids, &count), OK);
    assert_int_equal(count, 4);
    assert_memory_equal(ids, expected, sizeof expected);
    free(ids);
    assert_int_equal(tokenizer_decode(&tokenizer, (const int32_t[]){ 300 }, 1, &text, &bytes),
                     E_FORMAT);
    refuse_clear();
    tokenizer_close(&tokenizer);
}

/* A word of a million letters takes no longer than as many words of one. */
static void merges_long_words_at_once(void **state)
{
    enum { LENGTH = 1 << 20 };
    char *word = allocate(LENGTH, 1);
    struct tokenizer tokenizer;
    int64_t count;
    int32_t *ids;

    (void)state;
    for (int i = 0; i < LENGTH; i++)
        word[i] = "ing"[i % 3];         /* "ing" is one token */
    assert_int_equal(tokenizer_open(&tokenizer, GPT2), OK);
    assert_int_equal(tokenizer_encode(&tokenizer, word, LENGTH, &ids, &count), OK);
    assert_int_equal(count, LENGTH / 3 + 1);
    assert_int_equal(ids[0], 294);
    free(ids);
    tokenizer_close(&tokenizer);
    free(word);
}

/* Marks below a letter come before those above it, however many there are. */
static void orders_a_million_accents_at_once(void **state)
{
    enum { PAIRS = 1 << 18, BYTES = 1 + 4 * PAIRS };
    char *text = allocate(BYTES + 1, 1), *back;
    struct tokenizer tokenizer;
    int64_t count, bytes;
    int32_t *ids;

    (void)state;
    text[0] = 'a';
    for (int64_t i = 0; i < PAIRS; i++)
        memcpy(text + 1 + 4 * i, "\xcc\x81\xcc\xa3", 4);
    assert_int_equal(tokenizer_open(&tokenizer, "tests/golden/tokenizers/qwen2/tokenizer.json"),
                     OK);
    assert_int_equal(tokenizer_encode(&tokenizer, text, BYTES, &ids, &count), OK);
    assert_int_equal(tokenizer_decode(&tokenizer, ids, count, &back, &bytes), OK);
    assert_int_equal(bytes, BYTES);             /* U+1EA1 for the letter and its first mark */
    assert_memory_equal(back, "\xe1\xba\xa1\xcc\xa3\xcc\xa3", 7);
    assert_memory_equal(back + PAIRS * 2 - 1, "\xcc\xa3\xcc\x81\xcc\x81", 6);
    free(back);
    free(ids);
    tokenizer_close(&tokenizer);
    free(text);
}

static void check_refused(enum status st, struct tokenizer *tokenizer, const char *text,
                          const char *word)
{
    if (st != E_FORMAT)
        fail_msg("%s was taken", text);
    if (strstr(refuse_reason(), word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", refuse_reason(), word);
    refuse_clear();
    tokenizer_close(tokenizer);
}

static void refuses_tokenizers_of_other_kinds(void **state)
{
    static const struct { const char *from, *to, *text, *word; } BAD[] = {
        { "\"version\": ", ",", "1.0.0", "not JSON" },
        { "\"normalizer\": ", ",", "{\"type\": \"NFKC\"}", "NFKC" },
        { "\"pre_tokenizer\": {\n\"type\": ", ",", "\"Whitespace\"", "Whitespace" },
        { "\"add_prefix_space\": ", ",", "true", "add_prefix_space" },
        { "\"model\": {", "\n", "\"type\": \"Unigram\",", "tokenizer.model" },
        { "\"dropout\": ", ",", "0.1", "dropout" },
        { "\"content\": ", ",", "\"\"", "content" },
        { "\"single_word\": ", ",", "true", "single_word" },
        { "\"id\": ", ",", "-1", "<|endoftext|>" },
        { "\"id\": ", ",", "16777216", "<|endoftext|>" },
        { "\"id\": ", ",", "5", "has the id of another" },
        { "\"A\": ", ",", "33", "has the id of another" },
        { "\"A\": ", ",", "\"32\"", "needs an \"id\"" },
        { "\"vocab\": {\n\"", "\"", "!!", "0x21" },
        { "\"vocab\": {\n\"", "\"", "!\\u4e16", "0x21" },
        { "\"merges\": ", "\n}\n}", "{}", "merges" },
        { "\"merges\": ", "\n}\n}", "[\"ab\"]", "number 0" },
        { "\"merges\": ", "\n}\n}", "[\"i n\", [\"a\"]]", "number 1" },
        { "\"merges\": ", "\n}\n}", "[\"z z\"]", "\"vocab\"" },
        { "\"merges\": ", "\n}\n}", "[[\"a\", 7]]", "number 0" },
    };
    struct tokenizer tokenizer;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        check_refused(open_changed(&tokenizer, BAD[i].from, BAD[i].to, BAD[i].text), &tokenizer,
                      BAD[i].text, BAD[i].word);
}

/* Of Oniguruma's expressions those that PCRE2 understands otherwise, or not at all. */
static void refuses_patterns_that_mean_something_else(void **state)
{
    static const struct {
        const char *expression, *word;
    } BAD[] = {
        { "\\\\d+", "an escape" },
        { "\\\\w+", "an escape" },
        { "[\\\\S]", "an escape" },
        { "\\\\h", "an escape" },
        { "\\\\p{Han}", "\\p{...}" },
        { "\\\\p{^L}", "\\p{...}" },
        { "\\\\pL", "\\p{...}" },
        { ".+", ". ^ $" },
        { "^a", ". ^ $" },
        { "a$", ". ^ $" },
        { "[a[bc]]", "within a class" },
        { "[a-z&&b]", "within a class" },
        { "[]a]", "begins with ]" },
        { "[a", "without an end" },
        { "(?i)a", "a group" },
        { "(?<=a)b", "a group" },
        { "(?i:[a-z])", "more than words" },
        { "(?i:'st)", "may be one" },
        { "a{,3}", "a count" },
        { "a{2}+", "a count" },
        { "a*", "no text" },
        { "(a", "is none" },
        { "a\\\\", "an escape" },
    };
    struct tokenizer tokenizer;
    char *text;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_true(asprintf(&text, "{\"Regex\": \"%s\"}", BAD[i].expression) > 0);
        check_refused(open_changed_of("tests/golden/tokenizers/llama3/tokenizer.json", &tokenizer,
                                      "\"pattern\": ", ", \"behavior\"", text),
                      &tokenizer, BAD[i].expression, BAD[i].word);
        free(text);
    }
}

/* Each by its name. */
static void refuses_steps_that_are_not_known(void **state)
{
    static const struct { const char *kind, *from, *to, *text, *word; } BAD[] = {
        { "llama3", "\"behavior\": ", ",", "\"Contiguous\"", "Contiguous" },
        { "llama3", "\"pattern\": ", ", \"behavior\"", "{}", "Split" },
        { "llama3", "\"processors\": ", "},\n\"decoder\"", "[{\"type\": \"BertProcessing\"}]",
          "BertProcessing" },
        { "llama3", "\"single\": ", ", \"pair\"", "[{\"Sequence\": {}}, {\"SpecialToken\": {}}]",
          "after it" },
        { "llama3", "\"ids\": ", ",", "[]", "<|begin_of_text|>" },
        { "llama3", "\"decoder\": ", ",\n\"model\"", "{\"type\": \"WordPiece\"}", "WordPiece" },
        { "mistral", "\"normalizers\": ", "},\n\"pre_tokenizer\"", "[{\"type\": \"Lowercase\"}]",
          "Lowercase" },
        { "gemma3", "\"pattern\": ", ", \"content\"", "{\"Regex\": \" \"}", "\"String\"" },
        { "gemma3", "\"byte_fallback\": ", ",", "false", "byte_fallback" },
        { "gemma3", "\"decoder\": ", ",\n\"model\"", "{\"type\": \"Fuse\"}", "\"decoder\"" },
        { "mistral-v3", "\"split\": ", "}", "true", "Metaspace" },
        { "mistral-v3", "\"prepend_scheme\": ", ",", "\"last\"", "prepend_scheme" },
    };
    struct tokenizer tokenizer;

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char base[PATH_LENGTH];

        path_print(base, "tests/golden/tokenizers/%s/tokenizer.json", BAD[i].kind);
        check_refused(open_changed_of(base, &tokenizer, BAD[i].from, BAD[i].to, BAD[i].text),
                      &tokenizer, BAD[i].text, BAD[i].word);
    }
}

/* Given, or what the folder of the checkpoint holds. */
static void finds_the_tokenizer_of_a_checkpoint(void **state)
{
    char path[PATH_LENGTH];

    (void)state;
    tokenizer_path(path, "", "jobs/demo/tiny-gemma2");
    assert_string_equal(path, MODEL);
    tokenizer_path(path, "", "tests/golden/gpt2-random");
    assert_string_equal(path, GPT2);
    tokenizer_path(path, GPT2, "jobs/demo/tiny-gemma2");
    assert_string_equal(path, GPT2);
}

/* NULs, cut and overlong characters, surrogates, bytes that UTF-8 never has. */
static void check_any_bytes(const char *path)
{
    char all[512];
    static const char *const BAD[] = { "\xff\xfe", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80",
                                       "\xf8\x88\x80\x80\x80", "ok\x80ok" };
    struct tokenizer tokenizer;
    int32_t *ids;
    int64_t count;

    assert_int_equal(tokenizer_open(&tokenizer, path), OK);
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i < 256 ? i : 511 - i);
    assert_int_equal(tokenizer_encode(&tokenizer, all, sizeof all, &ids, &count), OK);
    assert_true(count > 100);
    free(ids);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(tokenizer_encode(&tokenizer, BAD[i], (int64_t)strlen(BAD[i]), &ids,
                                          &count), OK);
        assert_true(count > 0);
        free(ids);
    }
    assert_int_equal(tokenizer_encode(&tokenizer, "a\0b", 3, &ids, &count), OK);
    assert_true(count >= 3);
    free(ids);
    tokenizer_close(&tokenizer);
}

static void takes_any_bytes(void **state)
{
    (void)state;
    check_any_bytes(MODEL);
    check_any_bytes(GPT2);
}

static void refuses_what_is_no_model_and_ids_it_does_not_have(void **state)
{
    const int32_t bad[] = { 5, 4096 }, negative[] = { -1 };
    struct tokenizer tokenizer;
    int64_t bytes;
    char *text;

    (void)state;
    assert_int_equal(tokenizer_open(&tokenizer, "no/such.json"), E_IO);
    assert_non_null(strstr(refuse_reason(), "no/such.json"));
    refuse_clear();
    assert_int_not_equal(tokenizer_open(&tokenizer, "Makefile"), OK);
    assert_non_null(strstr(refuse_reason(), "Makefile"));
    refuse_clear();
    tokenizer_close(&tokenizer);
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
    assert_int_equal(tokenizer_decode(&tokenizer, bad, 2, &text, &bytes), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "4096"));
    refuse_clear();
    assert_int_equal(tokenizer_decode(&tokenizer, negative, 1, &text, &bytes), E_FORMAT);
    refuse_clear();
    tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_ids_of_the_reference),
        cmocka_unit_test(gives_the_same_ids_to_a_text_that_is_cut),
        cmocka_unit_test(gives_the_ids_of_gpt2s_definition),
        cmocka_unit_test(gives_the_ids_of_hugging_faces_library),
        cmocka_unit_test(reads_merges_in_both_forms),
        cmocka_unit_test(finds_the_longest_added_token),
        cmocka_unit_test(merges_long_words_at_once),
        cmocka_unit_test(orders_a_million_accents_at_once),
        cmocka_unit_test(finds_the_tokenizer_of_a_checkpoint),
        cmocka_unit_test(refuses_tokenizers_of_other_kinds),
        cmocka_unit_test(refuses_patterns_that_mean_something_else),
        cmocka_unit_test(refuses_steps_that_are_not_known),
        cmocka_unit_test(takes_any_bytes),
        cmocka_unit_test(refuses_what_is_no_model_and_ids_it_does_not_have),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
