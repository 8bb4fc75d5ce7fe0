/* shards.h -- the files of a list that is stored in several files; one is open at a time. */
#ifndef SHARDS_H
#define SHARDS_H

#include "base/file.h"
#include "shard/h5.h"

struct shards {
    int    count;
    char (*paths)[PATH_LENGTH];
    int    open;            /* the shard whose file is open, or -1 */
    hid_t  file;
};

/* Path of a shard in a folder of shuffled shards: 00000.h5, 00001.h5, ... */
void shards_numbered(char path[PATH_LENGTH], const char *folder, int64_t shard);

/* `paths` is copied.  Local. */
void shards_make(struct shards *shards, char (*paths)[PATH_LENGTH], int count);

/* Open a shard, and close the one that was open.  Local.  E_IO, E_FORMAT. */
enum status shards_use(struct shards *shards, int shard);

/* Path of the shard that is open. */
const char *shards_path(const struct shards *shards);

/* Close the shard that is open.  Local. */
void shards_rest(struct shards *shards);

/* Accepts empty.  Local. */
void shards_free(struct shards *shards);

#endif
