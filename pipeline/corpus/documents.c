#include "corpus/documents.h"
#include "base/die.h"
#include "corpus/json_member.h"
#include "corpus/unzstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum status documents_open(struct documents *documents, const char *path, double bad_share)
{
    enum status st;

    *documents = (struct documents){ .whole = path_ends(path, ".txt"), .bad_share = bad_share };
    path_print(documents->path, "%s", path);
    TRY(file_size(path, &documents->bytes));
    documents->disk = fopen(path, "rb");
    REQUIRE(documents->disk != NULL, E_IO, "cannot open corpus file %s: %s", path,
            strerror(errno));
    documents->plain = path_ends(path, ".zst") ? unzstd_open(documents->disk) : documents->disk;
    if (documents->plain == NULL)
        die("no memory to decompress %s", path);
done:
    return st;
}

void documents_close(struct documents *documents)
{
    if (documents->plain != NULL && documents->plain != documents->disk)
        fclose(documents->plain);
    if (documents->disk != NULL)
        fclose(documents->disk);
    json_decref(documents->string);
    free(documents->line);
    *documents = (struct documents){0};
}

int64_t documents_position(const struct documents *documents)
{
    return ftello(documents->disk);
}

/* The next line with its newline; *bytes 0 if there is none left. */
static enum status read_line(struct documents *documents, int64_t *bytes)
{
    const ssize_t n = getline(&documents->line, &documents->line_capacity, documents->plain);

    *bytes = n > 0 ? n : 0;
    if (!ferror(documents->plain))
        return OK;
    if (errno == ENOMEM)
        return refuse(E_SPACE, "there is no memory to decompress corpus file %s, whose zstd window "
                      "may take 2 GiB in each rank (zstd --long=31); use fewer ranks, or compress "
                      "it again without --long", documents->path);
    if (errno == EBADMSG)
        return refuse(E_FORMAT, "corpus file %s is torn or damaged after line %lld; fetch or "
                      "compress it again", documents->path, (long long)documents->line_number);
    return refuse(E_IO, "cannot read corpus file %s: %s", documents->path, strerror(errno));
}

static bool is_blank(const char *text, int64_t bytes)
{
    return strspn(text, " \t\r\n") >= (size_t)bytes;
}

/* Some programs begin UTF-8 files with it; in a file made of several it may stand anywhere. */
static void skip_byte_order_mark(char **text, int64_t *bytes)
{
    if (*bytes >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *bytes -= 3;
    }
}

/* No UTF-8 text has a NUL; UTF-16 has, and begins with a mark of its own. */
static enum status check_is_text(const struct documents *documents, const char *text,
                                 int64_t bytes, bool begins)
{
    const char *nul = memchr(text, '\0', (size_t)bytes);
    const bool mark = begins && bytes >= 2
                      && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    char line[32] = "";
    enum status st;

    if (!documents->whole)
        snprintf(line, sizeof line, " of line %lld", (long long)documents->line_number);
    REQUIRE(!mark, E_FORMAT, "corpus file %s begins as UTF-16 does; convert it to UTF-8 (iconv -f "
            "UTF-16 -t UTF-8)", documents->path);
    REQUIRE(nul == NULL, E_FORMAT, "corpus file %s is no text: byte %lld%s is NUL; convert it to "
            "UTF-8 if it is UTF-16, or take it out of corpus.files", documents->path,
            (long long)(nul - text), line);
done:
    return st;
}

/* Note a document without text.  A few are skipped as they come; a file with another member, or of
 * another kind, is refused soon. */
static enum status add_without_text(struct documents *documents)
{
    enum { ENOUGH = 1000 };
    enum status st;

    documents->without_text++;
    REQUIRE(documents->bad_share > 0, E_FORMAT, "line %lld of corpus file %s has no string member "
            "\"text\", which is the document; remove the line, or set corpus.bad to skip",
            (long long)documents->line_number, documents->path);
    REQUIRE(documents->number < ENOUGH || (double)documents->without_text
            <= documents->bad_share * (double)documents->number, E_FORMAT, "%lld of the first %lld "
            "lines of corpus file %s have no string member \"text\", which is the document; "
            "corpus.bad_share allows a share of %g", (long long)documents->without_text,
            (long long)documents->number, documents->path, documents->bad_share);
done:
    return st;
}

/* At the end of the file. */
static enum status check_share(const struct documents *documents)
{
    enum status st;

    REQUIRE((double)documents->without_text <= documents->bad_share * (double)documents->number,
            E_FORMAT, "%lld of %lld lines of corpus file %s have no string member \"text\", which "
            "is the document; corpus.bad_share allows a share of %g",
            (long long)documents->without_text, (long long)documents->number, documents->path,
            documents->bad_share);
done:
    return st;
}

/* Decode a line's text; documents->string NULL if it has none. */
static enum status parse_line(struct documents *documents, char *line, int64_t bytes)
{
    struct json_value value;
    json_error_t error = { .text = "" };
    const char *fault;
    enum status st;

    TRY(check_is_text(documents, line, bytes, documents->line_number == 1));
    fault = json_member_find(&value, line, bytes, "text");
    REQUIRE(fault == NULL, E_FORMAT, "line %lld of corpus file %s is not a JSON object: %s",
            (long long)documents->line_number, documents->path, fault);
    if (value.bytes == 0 || value.at[0] == 'n')
        goto done;
    REQUIRE(value.at[0] == '"', E_FORMAT, "line %lld of corpus file %s has a member \"text\" that "
            "is no string; it should be the document", (long long)documents->line_number,
            documents->path);
    json_member_mend(value);
    documents->string = json_loadb(value.at, (size_t)value.bytes,
                                   JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (documents->string == NULL && json_error_code(&error) == json_error_out_of_memory)
        die("no memory for line %lld of %s", (long long)documents->line_number, documents->path);
    REQUIRE(documents->string != NULL, E_FORMAT, "line %lld of corpus file %s is not JSON: %s",
            (long long)documents->line_number, documents->path, error.text);
done:
    return st;
}

/* Read lines up to one with a document; *bytes 0 at the end. */
static enum status next_object(struct documents *documents, int64_t *bytes)
{
    char *line;
    enum status st;

    for (;;) {
        TRY(read_line(documents, bytes));
        if (*bytes == 0)
            break;
        documents->line_number++;
        line = documents->line;
        skip_byte_order_mark(&line, bytes);
        if (is_blank(line, *bytes))
            continue;
        TRY(parse_line(documents, line, *bytes));
        documents->number++;
        if (documents->string != NULL)
            goto done;
        TRY(add_without_text(documents));
    }
    TRY(check_share(documents));
done:
    return st;
}

static enum status next_line(struct documents *documents, const char **text, int64_t *bytes)
{
    enum status st;

    TRY(next_object(documents, bytes));
    if (documents->string != NULL) {
        *text = json_string_value(documents->string);
        *bytes = (int64_t)json_string_length(documents->string);
    }
done:
    return st;
}

static enum status whole_file(struct documents *documents, const char **text, int64_t *bytes)
{
    char *begin;
    enum status st;

    if (documents->number > 0)
        return OK;
    TRY(file_read(documents->path, &documents->line, bytes));
    begin = documents->line;
    TRY(check_is_text(documents, begin, *bytes, true));
    skip_byte_order_mark(&begin, bytes);
    *text = begin;
    documents->number = 1;
done:
    return st;
}

enum status documents_next(struct documents *documents, const char **text, int64_t *bytes)
{
    *text = NULL;
    *bytes = 0;
    json_decref(documents->string);
    documents->string = NULL;
    return documents->whole ? whole_file(documents, text, bytes)
                            : next_line(documents, text, bytes);
}
