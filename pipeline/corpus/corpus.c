#include "corpus/corpus.h"
#include "base/die.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool corpus_is_ids(const char *path)
{
    return path_ends(path, ".h5");
}

bool corpus_is_compressed(const char *path)
{
    return path_ends(path, ".zst") || path_ends(path, ".gz");
}

bool corpus_is_text(const char *path)
{
    return path_ends(path, ".txt") || path_ends(path, ".txt.gz") || path_ends(path, ".txt.zst");
}

static bool is_lines(const char *path)
{
    static const char *const ENDS[] = { ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json.gz" };
    bool lines = false;

    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        lines = lines || path_ends(path, ENDS[i]);
    return lines;
}

static enum status add_file(struct corpus *corpus, const char *path)
{
    struct stat found;
    enum status st = OK;

    REQUIRE(strlen(path) <= PATH_LONGEST, E_USAGE,
            "corpus file %.60s... has a path of %zu bytes, "
            "but may have at most %d",
            path, strlen(path), PATH_LONGEST);
    REQUIRE(corpus_is_text(path) || is_lines(path) || corpus_is_ids(path), E_USAGE,
            "corpus file %s: a corpus is made of "
            ".txt and .jsonl files, which may be compressed (.zst, .gz), and of .h5 files",
            path);
    REQUIRE(stat(path, &found) != 0 || !S_ISDIR(found.st_mode), E_USAGE,
            "corpus file %s is a "
            "folder; name the files in it, as in %s/*.jsonl",
            path, path);
    corpus->paths = realloc(corpus->paths, (size_t)(corpus->files + 1) * sizeof *corpus->paths);
    if (corpus->paths == NULL)
        die("no memory for a list of %d files", corpus->files + 1);
    path_print(corpus->paths[corpus->files++], "%s", path);
done:
    return st;
}

enum status corpus_list(struct corpus *corpus, char *const *patterns, unsigned count)
{
    enum status st = OK;
    glob_t found = {0};

    *corpus = (struct corpus){0};
    for (unsigned i = 0; i < count; i++) {
        if (file_exists(patterns[i])) {     /* br[1].jsonl is the name of a file, too */
            st = add_file(corpus, patterns[i]);
            if (st != OK)
                return st;
            continue;
        }
        const int how = glob(patterns[i], 0, NULL, &found);
        if (how == GLOB_NOSPACE)
            die("no memory for a list of corpus files");
        if (how != 0)
            st = refuse(E_USAGE, "there is no corpus file %s (corpus.files)", patterns[i]);
        for (size_t f = 0; st == OK && f < found.gl_pathc; f++)
            st = add_file(corpus, found.gl_pathv[f]);
        globfree(&found);
        if (st != OK)
            return st;
    }
    return st;
}

void corpus_free(struct corpus *corpus)
{
    free(corpus->paths);
    *corpus = (struct corpus){0};
}
