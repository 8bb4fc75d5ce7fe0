/* documents.h -- read the documents of a corpus file, one after the other.
 *
 *   .txt      the whole file is one document; one of more than DOCUMENTS_WHOLE bytes is cut into
 *             documents of at most DOCUMENTS_PART, behind an empty line or else a line
 *   .jsonl    a JSON object a line, its member `text` is the document, or of chats `messages`
 *
 * Both may be compressed (.txt.gz, .jsonl.zst, ...), and .json.gz counts as .jsonl.gz.  A file is
 * streamed: memory is a few times its longest document.  Of a line only that member is decoded
 * (json_member.h).  A line whose member is null or absent, or no chat (chat.h), is a document
 * without text: it keeps its number, and is skipped unless there are too many.  All is Local.
 */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { DOCUMENTS_WHOLE = 1 << 24, DOCUMENTS_PART = 1 << 20 };

struct documents {
    char    path[PATH_LENGTH];
    bool    lines;          /* .jsonl */
    bool    chat;           /* read `messages`, not `text` */
    int64_t bytes;          /* of the file, as it lies on disk */
    int64_t number;         /* documents read so far, those without text included */
    int64_t without_text;   /* of them */
    double  bad_share;      /* as documents_open() got it */
    FILE   *disk;           /* the file itself */
    FILE   *plain;          /* its plain text: a decompressing stream, or `disk` again */
    char   *line;           /* the line read last, or text */
    size_t  line_capacity;
    int64_t line_number;
    int64_t held, used;     /* bytes of text in `line`, and how many of them were documents */
    int64_t before;         /* bytes of text before these */
    json_t *value;          /* owns the text read last, or is the list of messages */
    const char *fault;      /* why the line read last has no text */
};

/* `bad_share` is the largest share of documents that may be without text; 0: none may.  E_IO;
 * E_USAGE if a `chat` is to be read from a file of text. */
enum status documents_open(struct documents *documents, const char *path, double bad_share,
                           bool chat);
void        documents_close(struct documents *documents);

/* The next document with text, which is number `documents->number` - 1 of the file; *text is NULL
 * at the end.  Of a conversation the text is JSON; take documents->value.
 * It is valid UTF-8 for .jsonl and whatever the file holds for .txt, without a byte order mark, not
 * NUL-terminated, and valid until the next call.
 * E_IO; E_FORMAT, with the line, if it is no JSON object, the member is of another type, too many
 * have no text, the file is UTF-16 or binary, or a compressed file is torn; E_SPACE if there is no
 * memory for zstd's window. */
enum status documents_next(struct documents *documents, const char **text, int64_t *bytes);

/* Bytes of the file on disk that were read so far, for progress. */
int64_t documents_position(const struct documents *documents);

#endif
