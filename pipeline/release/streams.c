#include "release/streams.h"
#include "base/agree.h"
#include "base/die.h"
#include "release/manifest.h"
#include "shard/activations.h"
#include "suite/paths.h"

#include <stdlib.h>

static json_t *autoencoder(const json_t *manifest, size_t index)
{
    return json_array_get(json_object_get(manifest, "autoencoders"), index);
}

/* The tap that an autoencoder reads (`key` "site") or reconstructs ("target").  Local.  E_USAGE. */
static enum status tap_of(struct tap *tap, const json_t *entry, const char *key)
{
    const char *site = json_string_value(json_object_get(entry, key));

    tap->layer = (int)json_integer_value(json_object_get(entry, "layer"));
    return site_parse(&tap->site, site == NULL ? "" : site);
}

/* Open the harvested stream; leave it empty if there are no shards.  Local. */
static enum status open_harvested(struct activations *harvested,
                                  const struct identities *identities, struct tap tap)
{
    char folder[PATH_LENGTH], name[32], (*paths)[PATH_LENGTH] = NULL;
    struct identity *wanted = NULL;
    int shards = 0;
    enum status st = OK;

    for (;; shards++) {
        paths = realloc(paths, (size_t)(shards + 1) * sizeof *paths);
        wanted = realloc(wanted, (size_t)(shards + 1) * sizeof *wanted);
        if (paths == NULL || wanted == NULL)
            die("no memory for a list of shards");
        const struct identity of = identities_harvest(identities, shards);
        wanted[shards] = identity_of_stream(&of, tap);
        paths_harvest(folder, identities->suite, shards);
        path_print(paths[shards], "%s/%s.h5", folder, site_tap_name(name, tap));
        if (!file_exists(paths[shards]))
            break;
    }
    if (shards > 0)
        st = activations_open(harvested, paths, wanted, shards);
    free(wanted);
    free(paths);
    return st;
}

/* Check one stream, and count it in *compared, unless it is missing.  Local. */
static enum status verify_stream(const struct identities *identities, struct tap tap,
                                 int64_t *compared)
{
    const struct identity identity = identities_shuffle(identities, tap);
    const struct suite *suite = identities->suite;
    struct activations shuffled = {0}, harvested = {0};
    char folder[PATH_LENGTH];
    enum status st = OK;

    paths_shuffle(folder, suite, tap);
    if (!file_exists(folder))
        return OK;
    TRY(activations_open_folder(&shuffled, folder, &identity)); /* and compares it with its input */
    TRY(open_harvested(&harvested, identities, tap));
    const struct row_statistics *out = &shuffled.statistics, *in = &harvested.statistics;
    REQUIRE(in->rows == 0 || (in->rows == out->rows && in->hash == out->hash), E_FORMAT,
            "the rows in %s are not those in %s/harvest (%lld rows of hash %016llx, not %lld of "
            "%016llx); shuffle and train them again", folder, suite->run, (long long)out->rows,
            (unsigned long long)out->hash, (long long)in->rows, (unsigned long long)in->hash);
    ++*compared;
done:
    activations_close(&harvested);
    activations_close(&shuffled);
    return st;
}

/* Does an autoencoder before number `index` have this stream? */
static bool seen(const json_t *manifest, size_t index, const char *key, struct tap tap)
{
    struct tap before;

    for (size_t i = 0; i < index; i++)
        if (tap_of(&before, autoencoder(manifest, i), key) == OK && before.site == tap.site
            && before.layer == tap.layer)
            return true;
    return false;
}

/* Check this rank's share of the streams.  Local. */
static enum status verify_mine(const struct run *run, const struct identities *identities,
                               const json_t *manifest, int64_t *compared)
{
    static const char *const KEYS[] = { "site", "target" };
    const size_t count = json_array_size(json_object_get(manifest, "autoencoders"));
    struct tap tap, read;
    enum status st = OK;

    for (size_t i = (size_t)run->rank; i < count; i += (size_t)run->size)
        for (int k = 0; k < 2; k++) {
            TRY(tap_of(&tap, autoencoder(manifest, i), KEYS[k]));
            TRY(tap_of(&read, autoencoder(manifest, i), "site"));
            if (!(k == 1 && read.site == tap.site) && !seen(manifest, i, KEYS[k], tap))
                TRY(verify_stream(identities, tap, compared));
        }
done:
    return st;
}

enum status streams_verify(struct run *run, const char *folder, const json_t *manifest)
{
    struct suite suite = {0};
    struct identities identities = {0};
    int64_t compared = 0;
    bool found;
    enum status st;

    TRY_ALL(run->comm, manifest_suite(&suite, folder, manifest));
    st = identities_recorded(&identities, &found, &suite);
    if (st == OK && found)
        st = verify_mine(run, &identities, manifest, &compared);
    TRY_ALL(run->comm, st);
    MPI_Allreduce(MPI_IN_PLACE, &compared, 1, MPI_INT64_T, MPI_SUM, run->comm);
    if (compared > 0)
        run_note(run, "%lld streams: the shuffled rows are those that were harvested",
                 (long long)compared);
    else
        run_note(run, "rows not compared: the run's shuffled rows, or its inputs, are not next to "
                 "the release");
done:
    identities_free(&identities);
    suite_free(&suite);
    return st;
}
