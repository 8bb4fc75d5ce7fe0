#include "corpus/documents.h"
#include "base/die.h"
#include "corpus/unzstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum status documents_open(struct documents *documents, const char *path)
{
    enum status st;

    *documents = (struct documents){ .whole = path_ends(path, ".txt") };
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
    json_decref(documents->object);
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
    if (errno == EBADMSG)
        return refuse(E_FORMAT, "corpus file %s is torn or damaged after line %lld; fetch or "
                      "compress it again", documents->path, (long long)documents->line_number);
    return refuse(E_IO, "cannot read corpus file %s: %s", documents->path, strerror(errno));
}

static bool is_blank(const char *text, int64_t bytes)
{
    return strspn(text, " \t\r\n") >= (size_t)bytes;
}

/* Some programs begin UTF-8 files with it. */
static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";

static enum status parse_line(struct documents *documents, int64_t bytes)
{
    const char *line = documents->line;
    json_error_t error;
    enum status st = OK;

    if (documents->line_number == 1 && strncmp(line, BYTE_ORDER_MARK, 3) == 0) {
        line += 3;
        bytes -= 3;
    }
    documents->object = json_loadb(line, (size_t)bytes, JSON_ALLOW_NUL, &error);
    REQUIRE(documents->object != NULL, E_FORMAT, "line %lld of corpus file %s is not JSON: %s",
            (long long)documents->line_number, documents->path, error.text);
    REQUIRE(json_is_string(json_object_get(documents->object, "text")), E_FORMAT, "line %lld of "
            "corpus file %s has no string member \"text\", which is the document",
            (long long)documents->line_number, documents->path);
done:
    return st;
}

static enum status next_object(struct documents *documents, const char **text, int64_t *bytes)
{
    enum status st;

    do {
        TRY(read_line(documents, bytes));
        documents->line_number++;
    } while (*bytes > 0 && is_blank(documents->line, *bytes));
    if (*bytes == 0)
        return OK;
    TRY(parse_line(documents, *bytes));
    const json_t *string = json_object_get(documents->object, "text");
    *text = json_string_value(string);
    *bytes = (int64_t)json_string_length(string);
done:
    return st;
}

static enum status whole_file(struct documents *documents, const char **text, int64_t *bytes)
{
    enum status st;

    if (documents->number > 0)
        return OK;
    TRY(file_read(documents->path, &documents->line, bytes));
    *text = documents->line;
done:
    return st;
}

enum status documents_next(struct documents *documents, const char **text, int64_t *bytes)
{
    enum status st;

    *text = NULL;
    *bytes = 0;
    json_decref(documents->object);
    documents->object = NULL;
    st = documents->whole ? whole_file(documents, text, bytes)
                          : next_object(documents, text, bytes);
    documents->number += *text != NULL;
    return st;
}
