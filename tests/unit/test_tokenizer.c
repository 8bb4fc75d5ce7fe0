/* The tokenizer gives the ids that the SentencePiece library's own Python module gives, and
 * takes any bytes. */
#include "lm/tokenizer.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char MODEL[] = "jobs/demo/tiny-gemma2/tokenizer.model";
static const char CASES[] = "tests/golden/tiny-gemma2/tokenizer_cases.json";

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

/* The numbers are those of the model's README. */
static void knows_its_special_ids(void **state)
{
    struct tokenizer tokenizer;

    (void)state;
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
    assert_int_equal(tokenizer.vocabulary, 4096);
    assert_int_equal(tokenizer.pad, 0);
    assert_int_equal(tokenizer.eos, 1);
    assert_int_equal(tokenizer.bos, 2);
    tokenizer_close(&tokenizer);
}

/* NULs, cut and overlong characters, surrogates, bytes that UTF-8 never has. */
static void takes_any_bytes(void **state)
{
    char all[512];
    static const char *const BAD[] = { "\xff\xfe", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80",
                                       "\xf8\x88\x80\x80\x80", "ok\x80ok" };
    struct tokenizer tokenizer;
    int32_t *ids;
    int64_t count;

    (void)state;
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
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

static void refuses_what_is_no_model_and_ids_it_does_not_have(void **state)
{
    const int32_t bad[] = { 5, 4096 }, negative[] = { -1 };
    struct tokenizer tokenizer;
    int64_t bytes;
    char *text;

    (void)state;
    assert_int_not_equal(tokenizer_open(&tokenizer, "Makefile"), OK);
    assert_non_null(strstr(status_reason(), "Makefile"));
    status_clear();
    tokenizer_close(&tokenizer);
    assert_int_equal(tokenizer_open(&tokenizer, MODEL), OK);
    assert_int_equal(tokenizer_decode(&tokenizer, bad, 2, &text, &bytes), E_FORMAT);
    assert_non_null(strstr(status_reason(), "4096"));
    status_clear();
    assert_int_equal(tokenizer_decode(&tokenizer, negative, 1, &text, &bytes), E_FORMAT);
    status_clear();
    tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_ids_of_the_reference),
        cmocka_unit_test(knows_its_special_ids),
        cmocka_unit_test(takes_any_bytes),
        cmocka_unit_test(refuses_what_is_no_model_and_ids_it_does_not_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
