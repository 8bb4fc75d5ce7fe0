#include "corpus/provenance.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "shard/tokens.h"
#include "suite/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { END_BYTES = 1 << 20 };

enum status provenance_of(const char *path, int64_t *bytes, uint64_t *hash)
{
    FILE *file = NULL;
    char *ends = NULL;
    enum status st;

    TRY(file_size(path, bytes));
    const int64_t length = min_int64(*bytes, END_BYTES);
    ends = allocate(2 * length + 1, 1);
    file = fopen(path, "rb");
    TRY(file != NULL ? OK : file_refuse("open", path));
    TRY(fread(ends, 1, (size_t)length, file) == (size_t)length
        && fseeko(file, *bytes - length, SEEK_SET) == 0
        && fread(ends + length, 1, (size_t)length, file) == (size_t)length
        ? OK : file_refuse("read", path));
    *hash = XXH3_64bits(ends, 2 * (size_t)length);
done:
    if (file != NULL)
        fclose(file);
    free(ends);
    return st;
}

/* Compare one shard with its file.  *files becomes at least the number of files that made it. */
static enum status check_file(const char *shard, const char *path, int64_t *files)
{
    struct tokens_source source = {0};
    uint64_t hash;
    int64_t bytes;
    enum status st;

    TRY(tokens_read_source(&source, shard));
    REQUIRE(strcmp(source.path, path) == 0, E_USAGE,
            "%s was made from %s, but corpus.files now has "
            "%s in its place: a file arrived, went or was renamed; put the files back as they were "
            "(more may only come behind them), or remove what was made and begin again", shard,
            source.path, path);
    TRY(provenance_of(path, &bytes, &hash));
    REQUIRE(
        source.bytes < 0 || (source.bytes == bytes && source.hash == hash), E_USAGE,
        "%s was made from %s, which has changed since (it had %lld bytes and has %lld); put the "
        "file back as it was, or remove what was made and begin again",
        shard, path, (long long)source.bytes, (long long)bytes);
    *files = source.files > *files ? source.files : *files;
done:
    tokens_free_source(&source);
    return st;
}

/* A harvest takes sequences of all files in an order drawn for their number, which more files
 * change. */
static enum status check_addition(const struct suite *suite, const struct corpus *corpus,
                                  int64_t before)
{
    char folder[PATH_LENGTH];
    enum status st;

    path_print(folder, "%s/harvest", suite->run);
    REQUIRE(before == 0 || before >= corpus->files || !file_exists(folder), E_USAGE,
            "corpus.files now has %s, too, but %s was begun with %lld files, and another number "
            "changes the order of the sequences; take it away, or remove what was made from the "
            "harvest on", corpus->paths[before], folder, (long long)before);
done:
    return st;
}

enum status provenance_check(const struct suite *suite, const struct corpus *corpus)
{
    struct tokens_source source = {0};
    char shard[PATH_LENGTH];
    int64_t files = 0;
    enum status st = OK;

    for (int file = 0; file < corpus->files; file++) {
        paths_tokens(shard, suite, file);
        if (file_exists(shard))
            TRY(check_file(shard, corpus->paths[file], &files));
    }
    paths_tokens(shard, suite, corpus->files);
    if (file_exists(shard)) {
        TRY(tokens_read_source(&source, shard));
        REQUIRE(false, E_USAGE,
                "%s was made from %s, which corpus.files no longer has; put the file "
                "back, or remove what was made and begin again",
                shard, source.path);
    }
    TRY(check_addition(suite, corpus, files));
done:
    tokens_free_source(&source);
    return st;
}
