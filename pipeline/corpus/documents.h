/* documents.h -- read the documents of a corpus file, one after the other.
 *
 *   .txt         the whole file is one document
 *   .jsonl       a JSON object a line, its member `text` is the document
 *   .jsonl.zst   the same, compressed (the form in which the Pile is shipped)
 *
 * A file is streamed: memory is a few times its longest document.  Everything is Local.
 */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "base/file.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct documents {
    char    path[PATH_LENGTH];
    bool    whole;          /* .txt */
    int64_t bytes;          /* of the file, as it lies on disk */
    int64_t number;         /* documents read so far */
    FILE   *disk;           /* the file itself */
    FILE   *plain;          /* its plain text: a decompressing stream, or `disk` again */
    char   *line;           /* the line, or whole file, read last */
    size_t  line_capacity;
    int64_t line_number;
    json_t *object;         /* owns the text read last */
};

/* E_IO. */
enum status documents_open(struct documents *documents, const char *path);
void        documents_close(struct documents *documents);

/* The next document; *text is NULL at the end of the file.  It is valid UTF-8 for .jsonl
 * and whatever the file holds for .txt, not NUL-terminated, and valid until the next call.
 * E_IO; E_FORMAT, with the line, if it is not such an object or the zstd file is torn. */
enum status documents_next(struct documents *documents, const char **text, int64_t *bytes);

/* Bytes of the file on disk that were read so far, for progress. */
int64_t documents_position(const struct documents *documents);

#endif
