/* corpus.h -- the files of a suite's corpus. */
#ifndef CORPUS_H
#define CORPUS_H

#include "base/file.h"

/* Corpus files in their order: that of the suite's patterns, by name within a pattern. */
struct corpus {
    int    files;
    char (*paths)[PATH_LENGTH];
};

/* Expand patterns such as "text/part-*.jsonl.zst"; a pattern that is the very name of a file stands
 * for that file.  Local.  E_USAGE if a pattern matches no
 * file, or a file is a folder or ends otherwise than those that it may (documents.h, or .h5). */
enum status corpus_list(struct corpus *corpus, char *const *patterns, unsigned count);
void        corpus_free(struct corpus *corpus);

/* What the end of a path says: token ids (.h5); text (.txt), which may be compressed; any file that
 * is compressed (.gz, .zst). */
bool corpus_is_ids(const char *path);
bool corpus_is_text(const char *path);
bool corpus_is_compressed(const char *path);

#endif
