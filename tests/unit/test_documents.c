/* documents_next(): every kind of corpus file, and what is wrong with some. */
#include "corpus/corpus.h"
#include "corpus/documents.h"
#include "corpus/unzstd.h"
#include "tests/unit/scratch.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static const char *put(const char *name, const void *bytes, size_t size)
{
    const char *path = in_scratch(name);

    assert_int_equal(file_write(path, bytes, (int64_t)size), OK);
    return path;
}

/* The largest share of documents without text. */
static double bad_share = 0.5;

/* Read all documents of a file; the last status, the texts joined by '|' in `joined`. */
static enum status read_all(const char *path, char *joined)
{
    struct documents documents;
    const char *text;
    int64_t bytes;
    enum status st = documents_open(&documents, path, bad_share, false);

    joined[0] = '\0';
    while (st == OK && (st = documents_next(&documents, &text, &bytes)) == OK && text != NULL) {
        strncat(joined, text, (size_t)bytes);
        strcat(joined, "|");
    }
    documents_close(&documents);
    return st;
}

static const char LINES[] =
    "{\"text\": \"one\"}\n\n  \n{\"id\": 7, \"text\": \"tw\\u00f6 \\\"q\\\"\"}\n"
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

/* Append a gzip member to a buffer with `size` bytes of space; the bytes of it. */
static size_t gzip(void *to, size_t size, const void *from, size_t bytes)
{
    z_stream stream = { .next_in = (Bytef *)from, .avail_in = (uInt)bytes, .next_out = to,
                        .avail_out = (uInt)size };

    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return size - stream.avail_out;
}

/* Two members, as gzip leaves them when files are joined; and lines that are named otherwise. */
static void reads_gzip(void **state)
{
    char members[500], joined[200];
    const size_t half = 20;
    size_t n = gzip(members, sizeof members, LINES, half);

    (void)state;
    n += gzip(members + n, sizeof members - n, LINES + half, sizeof LINES - 1 - half);
    assert_int_equal(read_all(put("a.jsonl.gz", members, n), joined), OK);
    assert_string_equal(joined, WANT);
    assert_int_equal(read_all(put("a.json.gz", members, n), joined), OK);
    assert_string_equal(joined, WANT);
    for (size_t cut = n - 1; cut > n - 30; cut--) {
        assert_int_equal(read_all(put("torn.jsonl.gz", members, cut), joined), E_FORMAT);
        assert_non_null(strstr(refuse_reason(), "torn.jsonl.gz is torn"));
        refuse_clear();
    }
    members[n - 6] ^= 1;        /* the last member's checksum */
    assert_int_equal(read_all(put("torn.jsonl.gz", members, n), joined), E_FORMAT);
    refuse_clear();
    n = gzip(members, sizeof members, "two\nlines\n", 10);
    assert_int_equal(read_all(put("a.txt.gz", members, n), joined), OK);
    assert_string_equal(joined, "two\nlines\n|");
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

/* Read all of a text; all documents together are the text, and each ends in `end`. */
static int64_t check_cut(const char *text, size_t size, const char *end)
{
    const char *path = put("long.txt", text, size), *part;
    struct documents documents;
    int64_t bytes, at = 0;

    assert_int_equal(documents_open(&documents, path, 0.5, false), OK);
    for (;;) {
        assert_int_equal(documents_next(&documents, &part, &bytes), OK);
        if (part == NULL)
            break;
        assert_memory_equal(part, text + at, (size_t)bytes);
        at += bytes;
        if ((size_t)at < size)
            assert_memory_equal(part + bytes - strlen(end), end, strlen(end));
    }
    assert_int_equal(at, size);
    const int64_t count = documents.number;
    documents_close(&documents);
    return count;
}

/* Behind empty lines, else behind lines, else between characters. */
static void cuts_a_long_text_into_documents(void **state)
{
    enum { SIZE = DOCUMENTS_WHOLE + 3 * DOCUMENTS_PART };
    char *text = malloc(SIZE);

    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        text[i] = i % 1000 == 998 || i % 1000 == 999 ? '\n' : i % 100 == 99 ? '\n' : 'x';
    assert_int_equal(check_cut(text, DOCUMENTS_WHOLE, ""), 1);
    assert_int_equal(check_cut(text, SIZE, "\n\n"), 20);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = i % 100 == 99 ? '\n' : 'x';
    assert_int_equal(check_cut(text, SIZE, "\n"), 20);
    for (size_t i = 0; i + 2 < SIZE; i += 3)
        memcpy(text + i, "\xe4\xb8\x96", 3);
    assert_int_equal(check_cut(text, SIZE - SIZE % 3, "\xe4\xb8\x96"), 20);
    free(text);
}

/* The list of messages as it is written; lines without one, or with what is none, are skipped. */
static void reads_conversations(void **state)
{
    static const char CHATS[] =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"text\": \"b\"}\n"
        "{\"text\": \"b\"}\n"
        "{\"messages\": [{\"role\": \"tool\", \"content\": \"a\"}]}\n"
        "{\"messages\": []}\n";
    const char *path = put("chat.jsonl", CHATS, sizeof CHATS - 1), *text;
    struct documents documents;
    int64_t bytes;

    (void)state;
    assert_int_equal(documents_open(&documents, path, 0.5, true), OK);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_int_equal(bytes, 34);
    assert_int_equal(json_array_size(documents.value), 1);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_int_equal(json_array_size(documents.value), 0);
    assert_true(documents.number == 4 && documents.without_text == 2);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_null(text);
    documents_close(&documents);
    assert_int_equal(documents_open(&documents, path, 0, true), OK);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_int_equal(documents_next(&documents, &text, &bytes), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "line 2"));
    assert_non_null(strstr(refuse_reason(), "\"messages\""));
    refuse_clear();
    documents_close(&documents);
    assert_int_equal(documents_open(&documents, put("a.txt", "a", 1), 0, true), E_USAGE);
    refuse_clear();
    documents_close(&documents);
}

static void refuses_what_is_no_document(void **state)
{
    static const struct { const char *lines, *words; } CASES[] = {
        { "{\"text\": \"a\"}\n{\"text\": \n", "line 2" },
        { "{\"txt\": \"a\"}\n", "1 of 1 lines" },
        { "{\"text\": 5}\n", "line 1" },
        { "{\"text\": \"a\"}\n{\"text\": {}}\n", "line 2" },
        { "[1]\n", "not a JSON object" },
        { "{\"text\": \"a\"} {}\n", "something follows" },
        { "{\"a\": 01, \"text\": \"a\"}\n", "lacks a comma" },
        { "{\"a\": tru, \"text\": \"a\"}\n", "neither a string" },
        { "{\"a\": \"\\x\", \"text\": \"a\"}\n", "unknown escape" },
        { "{\"a\": \"\\u12g4\", \"text\": \"a\"}\n", "unknown escape" },
        { "{\"a\": \"\t\", \"text\": \"a\"}\n", "control character" },
        { "{\"text\": \"a", "ends too early" },
        { "{\"a\": [1, {\"b\": 2], \"text\": \"a\"}\n", "lacks a comma" },
        { "{\"a\" 1, \"text\": \"a\"}\n", "colon" },
        { "\xff\xfe{", "UTF-16" },
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

/* What is not asked for is not decoded: numbers of any size, NaN, halves of characters. */
static void reads_the_text_next_to_anything(void **state)
{
    static const char ODD[] =
        "{\"text\": \"one\", \"n\": 123456789012345678901234567890, \"h\": -1.5e+999}\n"
        "{\"meta\": {\"simhash\": 14029467366897019727, \"text\": \"no\"}, \"text\": \"two\"}\n"
        "{\"perplexity\": NaN, \"s\": [-Infinity, Infinity, [], {}], \"te\\u0078t\": \"three\"}\n"
        "{\"cut\": \"\\ud83d\", \"bytes\": \"\xff\", \"text\": \"four\"}\n"
        "{\"text\": \"half \\ud83d of \\uDE00, whole \\ud83d\\ude00, "
        "\\ud83d\\ud83d\\ude00 \\\\ud83d\"}\n";
    char joined[400];

    (void)state;
    assert_int_equal(read_all(put("odd.jsonl", ODD, sizeof ODD - 1), joined), OK);
    assert_string_equal(joined, "one|two|three|four|half \ufffd of \ufffd, whole \U0001f600, "
                        "\ufffd\U0001f600 \\ud83d|");
}

/* They keep their numbers. */
static void skips_documents_without_text(void **state)
{
    static const char LINES_OF_3[] =
        "{\"text\": \"one\"}\n{\"text\": null}\n{\"text\": \"three\"}\n";
    struct documents documents;
    const char *path = put("null.jsonl", LINES_OF_3, sizeof LINES_OF_3 - 1), *text;
    char joined[100];
    int64_t bytes;

    (void)state;
    assert_int_equal(documents_open(&documents, path, 0.5, false), OK);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_int_equal(documents.number, 1);
    assert_int_equal(documents_next(&documents, &text, &bytes), OK);
    assert_true(documents.number == 3 && bytes == 5 && documents.without_text == 1);
    documents_close(&documents);
    bad_share = 0.3;
    assert_int_equal(read_all(path, joined), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "1 of 3 lines of corpus file"));
    refuse_clear();
    bad_share = 0;
    assert_int_equal(read_all(path, joined), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "line 2 of corpus file"));
    refuse_clear();
    bad_share = 0.5;
}

static void drops_byte_order_marks(void **state)
{
    char joined[100];

    (void)state;
    assert_int_equal(read_all(put("m.txt", "\xef\xbb\xbftext", 7), joined), OK);
    assert_string_equal(joined, "text|");
    assert_int_equal(read_all(put("m.jsonl",
                                  "\xef\xbb\xbf\n{\"text\": \"a\"}\n\xef\xbb\xbf{\"text\": \"b\"}",
                                  34),
                              joined),
                     OK);
    assert_string_equal(joined, "a|b|");
}

static void refuses_files_that_are_no_text(void **state)
{
    static const struct { const char *name, *bytes; size_t size; const char *words; } CASES[] = {
        { "u.txt", "\xff\xfe" "a\0b\0", 6, "begins as UTF-16" },
        { "u.txt", "\xfe\xff\0a\0b", 6, "begins as UTF-16" },
        { "u.txt", "a\0b\0", 4, "byte 1 is NUL" },
        { "u.jsonl", "{\0\"\0", 4, "byte 1 of line 1 is NUL" },
    };
    char joined[100];

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *path = put(CASES[i].name, CASES[i].bytes, CASES[i].size);
        assert_int_equal(read_all(path, joined), E_FORMAT);
        if (strstr(refuse_reason(), CASES[i].words) == NULL)
            fail_msg("\"%s\" lacks %s", refuse_reason(), CASES[i].words);
        assert_non_null(strstr(refuse_reason(), path));
        refuse_clear();
    }
}

/* As zstd --long=31 does: a window of 2 GiB, which the library by itself does not take. */
static void reads_zstd_of_the_longest_window(void **state)
{
    char frame[500], joined[200];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer in = { LINES, sizeof LINES - 1, 0 };
    ZSTD_outBuffer out = { frame, sizeof frame, 0 };

    (void)state;
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    assert_true(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush) == 0);
    assert_true(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end) == 0);
    frame[5] = (char)0xa8;     /* RFC 8878, window descriptor: (31 - 10) << 3 */
    assert_int_equal(read_all(put("long.jsonl.zst", frame, out.pos), joined), OK);
    assert_string_equal(joined, WANT);
    assert_true(unzstd_bytes(put("long.jsonl.zst", frame, out.pos)) > (int64_t)1 << 31);
    ZSTD_freeCCtx(context);
}

/* Its window is no longer than the text. */
static void knows_that_a_short_zstd_file_takes_little(void **state)
{
    char frame[500];
    const size_t n = ZSTD_compress(frame, sizeof frame, LINES, sizeof LINES - 1, 3);

    (void)state;
    assert_true(unzstd_bytes(put("short.jsonl.zst", frame, n)) < 1 << 20);
}

/* A name with signs of a wildcard is first of all a name. */
static void finds_a_file_of_that_very_name(void **state)
{
    char first[PATH_LENGTH], *patterns[] = { first };
    struct corpus corpus;

    (void)state;
    put("br[1].jsonl", "", 0);
    path_print(first, "%s/br[1].jsonl", scratch);
    assert_int_equal(corpus_list(&corpus, patterns, 1), OK);
    assert_true(corpus.files == 1 && strcmp(corpus.paths[0], first) == 0);
    corpus_free(&corpus);
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
        cmocka_unit_test(reads_gzip),
        cmocka_unit_test(reads_long_documents),
        cmocka_unit_test(takes_a_text_file_whole),
        cmocka_unit_test(cuts_a_long_text_into_documents),
        cmocka_unit_test(reads_conversations),
        cmocka_unit_test(refuses_what_is_no_document),
        cmocka_unit_test(reads_the_text_next_to_anything),
        cmocka_unit_test(skips_documents_without_text),
        cmocka_unit_test(drops_byte_order_marks),
        cmocka_unit_test(refuses_files_that_are_no_text),
        cmocka_unit_test(reads_zstd_of_the_longest_window),
        cmocka_unit_test(knows_that_a_short_zstd_file_takes_little),
        cmocka_unit_test(finds_a_file_of_that_very_name),
        cmocka_unit_test(lists_a_corpus_in_order),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
