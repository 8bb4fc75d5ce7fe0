#include "corpus/documents.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/text.h"
#include "corpus/chat.h"
#include "corpus/corpus.h"
#include "corpus/gunzip.h"
#include "corpus/json_member.h"
#include "corpus/unzstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The plain text of a file that is open. */
static FILE *open_plain(const char *path, FILE *disk)
{
    return path_ends(path, ".zst") ? unzstd_open(disk)
         : path_ends(path, ".gz") ? gunzip_open(disk) : disk;
}

enum status documents_open(struct documents *documents, const char *path, double bad_share,
                           bool chat)
{
    const bool text = corpus_is_text(path);
    enum status st;

    *documents = (struct documents){ .lines = !text, .chat = chat, .bad_share = bad_share };
    path_print(documents->path, "%s", path);
    REQUIRE(!chat || !text, E_USAGE, "corpus file %s is text, but corpus.chat reads conversations: "
            "lines of JSON with a list \"messages\", as .jsonl", path);
    TRY(file_size(path, &documents->bytes));
    documents->disk = fopen(path, "rb");
    REQUIRE(documents->disk != NULL, E_IO, "cannot open corpus file %s: %s", path,
            strerror(errno));
    documents->plain = open_plain(path, documents->disk);
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
    json_decref(documents->value);
    free(documents->line);
    *documents = (struct documents){0};
}

int64_t documents_position(const struct documents *documents)
{
    return ftello(documents->disk);
}

/* Did the last read succeed? */
static enum status check_read(const struct documents *documents)
{
    char after[48] = "";

    if (!ferror(documents->plain))
        return OK;
    if (documents->lines)
        snprintf(after, sizeof after, " after line %lld", (long long)documents->line_number);
    if (errno == ENOMEM)
        return refuse(E_SPACE, "there is no memory to decompress corpus file %s, whose zstd window "
                      "may take 2 GiB in each rank (zstd --long=31); use fewer ranks, or compress "
                      "it again without --long", documents->path);
    if (errno == EBADMSG)
        return refuse(E_FORMAT, "corpus file %s is torn or damaged%s; fetch or compress it again",
                      documents->path, after);
    return refuse(E_IO, "cannot read corpus file %s: %s", documents->path, strerror(errno));
}

/* The next line with its newline; *bytes 0 if there is none left. */
static enum status read_line(struct documents *documents, int64_t *bytes)
{
    const ssize_t n = text_line(&documents->line, &documents->line_capacity, documents->plain);

    *bytes = n > 0 ? n : 0;
    return check_read(documents);
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

    if (documents->lines)
        snprintf(line, sizeof line, " of line %lld", (long long)documents->line_number);
    REQUIRE(!mark, E_FORMAT, "corpus file %s begins as UTF-16 does; convert it to UTF-8 (iconv -f "
            "UTF-16 -t UTF-8)", documents->path);
    REQUIRE(nul == NULL, E_FORMAT, "corpus file %s is no text: byte %lld%s is NUL; convert it to "
            "UTF-8 if it is UTF-16, or take it out of corpus.files", documents->path,
            (long long)(documents->before + documents->used + (nul - text)), line);
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
    REQUIRE(documents->bad_share > 0, E_FORMAT, "line %lld of corpus file %s %s; remove the line, "
            "or set corpus.bad to skip", (long long)documents->line_number, documents->path,
            documents->fault);
    REQUIRE(documents->number < ENOUGH || (double)documents->without_text
            <= documents->bad_share * (double)documents->number, E_FORMAT, "%lld of the first %lld "
            "lines of corpus file %s have no document: the last one %s; corpus.bad_share allows a "
            "share of %g", (long long)documents->without_text, (long long)documents->number,
            documents->path, documents->fault, documents->bad_share);
done:
    return st;
}

/* At the end of the file. */
static enum status check_share(const struct documents *documents)
{
    enum status st;

    REQUIRE((double)documents->without_text <= documents->bad_share * (double)documents->number,
            E_FORMAT, "%lld of %lld lines of corpus file %s have no document: the last one %s; "
            "corpus.bad_share allows a share of %g", (long long)documents->without_text,
            (long long)documents->number, documents->path, documents->fault,
            documents->bad_share);
done:
    return st;
}

/* Decode a line's member; documents->value NULL, and documents->fault, if there is no document.
 *   text  out  the member as it is written */
static enum status parse_line(struct documents *documents, char *line, int64_t bytes,
                              struct json_value *text)
{
    const bool chat = documents->chat;
    json_error_t error = { .text = "" };
    const char *fault;
    enum status st;

    TRY(check_is_text(documents, line, bytes, documents->line_number == 1));
    fault = json_member_find(text, line, bytes, chat ? "messages" : "text");
    REQUIRE(fault == NULL, E_FORMAT, "line %lld of corpus file %s is not a JSON object: %s",
            (long long)documents->line_number, documents->path, fault);
    if (text->bytes == 0 || text->at[0] == 'n') {
        documents->fault = chat ? "has no list \"messages\", which is the conversation"
                                : "has no string member \"text\", which is the document";
        goto done;
    }
    REQUIRE(text->at[0] == (chat ? '[' : '"'), E_FORMAT, "line %lld of corpus file %s has a member "
            "\"%s\" that is no %s; it should be the document", (long long)documents->line_number,
            documents->path, chat ? "messages" : "text", chat ? "list" : "string");
    json_member_mend(*text);
    documents->value = json_loadb(text->at, (size_t)text->bytes,
                                  JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (documents->value == NULL && json_error_code(&error) == json_error_out_of_memory)
        die("no memory for line %lld of %s", (long long)documents->line_number, documents->path);
    REQUIRE(documents->value != NULL, E_FORMAT, "line %lld of corpus file %s is not JSON: %s",
            (long long)documents->line_number, documents->path, error.text);
    documents->fault = chat ? chat_fault(documents->value) : NULL;
    if (documents->fault != NULL) {
        json_decref(documents->value);
        documents->value = NULL;
    }
done:
    return st;
}

/* Read lines up to one with a document; documents->value stays NULL at the end. */
static enum status next_object(struct documents *documents, struct json_value *text)
{
    int64_t bytes;
    char *line;
    enum status st;

    for (;;) {
        TRY(read_line(documents, &bytes));
        if (bytes == 0)
            break;
        documents->line_number++;
        line = documents->line;
        skip_byte_order_mark(&line, &bytes);
        if (is_blank(line, bytes))
            continue;
        TRY(parse_line(documents, line, bytes, text));
        documents->number++;
        if (documents->value != NULL)
            goto done;
        TRY(add_without_text(documents));
    }
    TRY(check_share(documents));
done:
    return st;
}

static enum status next_line(struct documents *documents, const char **text, int64_t *bytes)
{
    struct json_value value = {0};
    enum status st;

    TRY(next_object(documents, &value));
    if (documents->value != NULL) {
        *text = documents->chat ? value.at : json_string_value(documents->value);
        *bytes = documents->chat ? value.bytes : (int64_t)json_string_length(documents->value);
    }
done:
    return st;
}

/* --- text ---------------------------------------------------------------------------- */

/* Have more than a part of text in the buffer, unless there is less left. */
static enum status fill(struct documents *documents)
{
    enum { CAPACITY = DOCUMENTS_WHOLE + 1 };

    if (documents->line == NULL)
        documents->line = allocate(CAPACITY, 1);
    if (documents->held - documents->used > DOCUMENTS_PART)
        return OK;
    documents->before += documents->used;
    documents->held -= documents->used;
    memmove(documents->line, documents->line + documents->used, (size_t)documents->held);
    documents->used = 0;
    documents->held += (int64_t)fread(documents->line + documents->held, 1,
                                      (size_t)(CAPACITY - documents->held), documents->plain);
    return check_read(documents);
}

/* Bytes of the first document of a long text: up to its last empty line, or else line, or else
 * character. */
static int64_t first_part(const char *text)
{
    int64_t at = DOCUMENTS_PART;

    while (at > 1 && (text[at - 1] != '\n' || text[at - 2] != '\n'))
        at--;
    if (at > 1)
        return at;
    for (at = DOCUMENTS_PART; at > 0 && text[at - 1] != '\n'; at--)
        ;
    if (at > 0)
        return at;
    at = DOCUMENTS_PART;
    while (at > DOCUMENTS_PART - 3 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static enum status next_text(struct documents *documents, const char **text, int64_t *bytes)
{
    const bool first = documents->number == 0;
    char *begin;
    enum status st;

    TRY(fill(documents));
    const int64_t left = documents->held - documents->used;
    if (left == 0 && !first)
        goto done;
    begin = documents->line + documents->used;
    *bytes = left > DOCUMENTS_PART && documents->before + documents->held > DOCUMENTS_WHOLE
             ? first_part(begin) : left;
    TRY(check_is_text(documents, begin, *bytes, first));
    documents->used += *bytes;
    skip_byte_order_mark(&begin, bytes);
    *text = begin;
    documents->number++;
done:
    return st;
}

enum status documents_next(struct documents *documents, const char **text, int64_t *bytes)
{
    *text = NULL;
    *bytes = 0;
    json_decref(documents->value);
    documents->value = NULL;
    return documents->lines ? next_line(documents, text, bytes)
                            : next_text(documents, text, bytes);
}
