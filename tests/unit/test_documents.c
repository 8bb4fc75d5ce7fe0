/* documents_next(): every kind of corpus file, and what is wrong with some. */
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "tests/unit/scratch.h"

#include <unistd.h>
#include <zstd.h>

static const char *put(const char *name, const void *bytes, size_t size)
{
    const char *path = in_scratch(name);

    assert_int_equal(file_write(path, bytes, (int64_t)size), OK);
    return path;
}

/* Read all documents of a file; the last status, the texts joined by '|' in `joined`. */
static enum status read_all(const char *path, char *joined)
{
    struct documents documents;
    const char *text;
    int64_t bytes;
    enum status st = documents_open(&documents, path);

    joined[0] = '\0';
    while (st == OK && (st = documents_next(&documents, &text, &bytes)) == OK && text != NULL) {
        strncat(joined, text, (size_t)bytes);
        strcat(joined, "|");
    }
    documents_close(&documents);
    return st;
}

static const char LINES[] = "{\"text\": \"one\"}\n\n  \n{\"id\": 7, \"text\": \"tw\\u00f6 \\\"q\\\"\"}\n"
                            "{\"text\": \"\"}\n{\"text\": \"last, no newline\"}";
static const char WANT[] = "one|tw\u00f6 \"q\"||last, no newline|";

static void reads_lines_of_json(void **state)
{
    char joined[200];

    (void)state;
    assert_int_equal(read_all(put("a.jsonl", LINES, sizeof LINES - 1), joined), OK);
    assert_string_equal(joined, WANT);
}

/* Two frames, as a tool that appends would leave them. */
/* As editors on Windows write: a byte order mark, and lines that end in two characters. */
static void reads_lines_from_windows(void **state)
{
    static const char WINDOWS[] = "\xef\xbb\xbf{\"text\": \"one\"}\r\n{\"text\": \"two\"}\r\n\r\n";
    char joined[200];

    (void)state;
    assert_int_equal(read_all(put("w.jsonl", WINDOWS, sizeof WINDOWS - 1), joined), OK);
    assert_string_equal(joined, "one|two|");
}

static void reads_zstd(void **state)
{
    char frames[500], joined[200];
    const size_t half = 20;
    size_t n = ZSTD_compress(frames, sizeof frames, LINES, half, 3);

    (void)state;
    n += ZSTD_compress(frames + n, sizeof frames - n, LINES + half, sizeof LINES - 1 - half, 3);
    assert_int_equal(read_all(put("a.jsonl.zst", frames, n), joined), OK);
    assert_string_equal(joined, WANT);
    for (size_t cut = n - 1; cut > n - 30; cut--) {
        assert_int_equal(read_all(put("torn.jsonl.zst", frames, cut), joined), E_FORMAT);
        assert_non_null(strstr(refuse_reason(), "torn.jsonl.zst is torn"));
        refuse_clear();
    }
}

/* A document much longer than any buffer of the reader. */
static void reads_long_documents(void **state)
{
    const size_t bytes = 3 << 20;
    char *line = malloc(bytes + 20), *joined = malloc(bytes + 20);

    (void)state;
    strcpy(line, "{\"text\": \"");
    memset(line + 10, 'x', bytes);
    strcpy(line + 10 + bytes, "\"}\n");
    assert_int_equal(read_all(put("long.jsonl", line, bytes + 13), joined), OK);
    assert_int_equal(strlen(joined), bytes + 1);
    free(joined);
    free(line);
}

static void takes_a_text_file_whole(void **state)
{
    char joined[200];

    (void)state;
    assert_int_equal(read_all(put("a.txt", "two\nlines\n", 10), joined), OK);
    assert_string_equal(joined, "two\nlines\n|");
}

static void refuses_what_is_no_document(void **state)
{
    static const struct { const char *lines, *words; } CASES[] = {
        { "{\"text\": \"a\"}\n{\"text\": \n", "line 2" },
        { "{\"txt\": \"a\"}\n", "line 1" },
        { "{\"text\": 5}\n", "no string member" },
        { "[1]\n", "no string member" },
        { "{\"text\": \"\xff\"}\n", "not JSON" },
    };
    char joined[200];

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *path = put("bad.jsonl", CASES[i].lines, strlen(CASES[i].lines));
        assert_int_equal(read_all(path, joined), E_FORMAT);
        assert_non_null(strstr(refuse_reason(), CASES[i].words));
        assert_non_null(strstr(refuse_reason(), "bad.jsonl"));
        refuse_clear();
    }
    assert_int_equal(read_all(in_scratch("not-there.jsonl"), joined), E_IO);
    refuse_clear();
}

static void lists_a_corpus_in_order(void **state)
{
    char first[PATH_LENGTH], second[PATH_LENGTH], *patterns[] = { first, second };
    struct corpus corpus;

    (void)state;
    put("p-2.txt", "b", 1);
    put("p-1.txt", "a", 1);
    put("z.h5", "", 0);
    path_print(first, "%s/z.h5", scratch);
    path_print(second, "%s/p-*.txt", scratch);
    assert_int_equal(corpus_list(&corpus, patterns, 2), OK);
    assert_int_equal(corpus.files, 3);
    assert_non_null(strstr(corpus.paths[0], "z.h5"));
    assert_non_null(strstr(corpus.paths[1], "p-1.txt"));
    assert_non_null(strstr(corpus.paths[2], "p-2.txt"));
    corpus_free(&corpus);
    path_print(second, "%s/q-*.txt", scratch);
    assert_int_equal(corpus_list(&corpus, patterns, 2), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "q-*.txt"));
    refuse_clear();
    corpus_free(&corpus);
    assert_int_equal(file_make_folder(in_scratch("q-folder.txt")), OK);
    assert_int_equal(corpus_list(&corpus, patterns, 2), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "q-folder.txt is a folder"));
    refuse_clear();
    corpus_free(&corpus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_of_json),
        cmocka_unit_test(reads_lines_from_windows),
        cmocka_unit_test(reads_zstd),
        cmocka_unit_test(reads_long_documents),
        cmocka_unit_test(takes_a_text_file_whole),
        cmocka_unit_test(refuses_what_is_no_document),
        cmocka_unit_test(lists_a_corpus_in_order),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
