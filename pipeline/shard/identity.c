#include "shard/identity.h"
#include "shard/h5.h"
#include "suite/ownership.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct identity identity_within(const struct identity *folder, const char *name)
{
    struct identity file = *folder;
    const size_t length = strlen(file.place);

    snprintf(file.place + length, sizeof file.place - length, "/%s", name);
    return file;
}

struct identity identity_of_stream(const struct identity *folder, struct tap tap)
{
    char name[32], file[40];

    snprintf(file, sizeof file, "%s.h5", site_tap_name(name, tap));
    return identity_within(folder, file);
}

enum status identity_write(hid_t file, const char *path, const struct identity *identity)
{
    enum status st;

    TRY(h5_write_text(file, path, "place", identity->place));
    TRY(h5_write_int(file, path, "identity", (int64_t)identity->hash));
done:
    return st;
}

enum status identity_check(hid_t file, const char *path, const struct identity *wanted)
{
    char *place = NULL, *suite = NULL;
    int64_t hash;
    enum status st;

    TRY(h5_read_text(file, path, "place", &place));
    TRY(h5_read_int(file, path, "identity", &hash));
    TRY(h5_read_text(file, path, "suite", &suite));
    TRY(identity_compare(path, place, (uint64_t)hash, suite, wanted));
done:
    free(suite);
    free(place);
    return st;
}

enum status identity_compare(const char *path, const char *place, uint64_t hash, const char *suite,
                             const struct identity *wanted)
{
    enum status st = OK;

    REQUIRE(strcmp(place, wanted->place) == 0, E_USAGE, "%s was made as %s of a run folder, but %s "
            "belongs there; put back the file that was there, or remove it and run the same "
            "command again", path, place, wanted->place);
    if (hash == wanted->hash)
        goto done;
    if (suite != NULL)
        TRY(ownership_check_made(path, suite, wanted->suite, wanted->until));
    REQUIRE(false, E_USAGE, "%s was made from another model, other text or another suite than the "
            "run now has (inputs in the run folder lists model and text): it is a file of another "
            "run; put back the one that was there, or remove it and run the same command again",
            path);
done:
    return st;
}
