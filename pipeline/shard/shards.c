#include "shard/shards.h"
#include "base/allocate.h"

#include <stdlib.h>
#include <string.h>

void shards_numbered(char path[PATH_LENGTH], const char *folder, int64_t shard)
{
    path_print(path, "%s/%05lld.h5", folder, (long long)shard);
}

void shards_make(struct shards *shards, char (*paths)[PATH_LENGTH], int count)
{
    *shards = (struct shards){ .count = count, .open = -1, .file = -1 };
    shards->paths = allocate(count, sizeof *paths);
    memcpy(shards->paths, paths, (size_t)count * sizeof *paths);
}

enum status shards_use(struct shards *shards, int shard)
{
    enum status st;

    if (shards->open == shard)
        return OK;
    shards_rest(shards);
    TRY(h5_open(&shards->file, shards->paths[shard]));
    shards->open = shard;
done:
    return st;
}

const char *shards_path(const struct shards *shards)
{
    return shards->paths[shards->open];
}

void shards_rest(struct shards *shards)
{
    h5_close(&shards->file, "", E_IO);
    shards->open = -1;
}

void shards_free(struct shards *shards)
{
    if (shards->paths != NULL)
        shards_rest(shards);
    free(shards->paths);
    *shards = (struct shards){0};
}
