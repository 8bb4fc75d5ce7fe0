/* documents.h -- read the documents of a corpus file, one after the other.
 *
 *   .txt         the whole file is one document
 *   .jsonl       a JSON object a line, its member `text` is the document
 *   .jsonl.zst   the same, compressed (the form in which the Pile is shipped)
 *
 * A file is streamed: memory is a few times its longest document.  Of a line only `text` is decoded
 * (json_member.h).  A line whose `text` is null or absent is a document without text: it keeps its
 * number, and is skipped unless there are too many.  Everything is Local.
 */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct documents {
    char    path[PATH_LENGTH];
    bool    whole;          /* .txt */
    int64_t bytes;          /* of the file, as it lies on disk */
    int64_t number;         /* documents read so far, those without text included */
    int64_t without_text;   /* of them */
    double  bad_share;      /* as documents_open() got it */
    FILE   *disk;           /* the file itself */
    FILE   *plain;          /* its plain text: a decompressing stream, or `disk` again */
    char   *line;           /* the line, or whole file, read last */
    size_t  line_capacity;
    int64_t line_number;
    json_t *string;         /* owns the text read last */
};

/* `bad_share` is the largest share of documents that may be without text; 0: none may.  E_IO. */
enum status documents_open(struct documents *documents, const char *path, double bad_share);
void        documents_close(struct documents *documents);

/* The next document with text, which is number `documents->number` - 1 of the file; *text
 * is NULL at the end.
 * It is valid UTF-8 for .jsonl and whatever the file holds for .txt, without a byte order mark, not
 * NUL-terminated, and valid until the next call.
 * E_IO; E_FORMAT, with the line, if it is no JSON object, `text` is of another type, too many have
 * no text, the file is UTF-16 or binary, or the zstd file is torn; E_SPACE if there is no memory
 * for zstd's window. */
enum status documents_next(struct documents *documents, const char **text, int64_t *bytes);

/* Bytes of the file on disk that were read so far, for progress. */
int64_t documents_position(const struct documents *documents);

#endif
