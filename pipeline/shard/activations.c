#include "shard/activations.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/minmax.h"
#include "kernels/values.h"
#include "shard/store.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* --- opening ----------------------------------------------------------------------- */

struct shard_header {
    struct stream stream;
    int64_t       rows;
    double        sum_squares;
    int64_t       hash;
    struct row_digest source;   /* no rows: not a shuffled shard */
};

/* Find the store from the type of the values on disk. */
static enum status read_store(enum store *store, hid_t file, const char *path)
{
    const hid_t set = H5Dopen2(file, "activation", H5P_DEFAULT);
    const hid_t type = set >= 0 ? H5Dget_type(set) : -1;
    enum status st = OK;

    if (type >= 0 && H5Tequal(type, h5_bf16()) > 0)
        *store = STORE_BF16;
    else if (type >= 0 && H5Tequal(type, H5T_IEEE_F32LE) > 0)
        *store = STORE_F32;
    else
        st = refuse(E_FORMAT, "the activations of %s are neither bf16 nor f32", path);
    if (type >= 0)
        H5Tclose(type);
    if (set >= 0)
        H5Dclose(set);
    return st;
}

/* Read what activation_writer_tell_source() wrote; no rows if it was not called. */
static enum status read_source(struct row_digest *source, hid_t file, const char *path)
{
    int64_t hash;
    enum status st = OK;

    *source = (struct row_digest){0};
    if (H5Aexists(file, "source_rows") <= 0)
        return OK;
    TRY(h5_read_int(file, path, "source_rows", &source->rows));
    TRY(h5_read_int(file, path, "source_hash", &hash));
    source->hash = (uint64_t)hash;
done:
    return st;
}

static enum status read_header(struct shard_header *header, hid_t file, const char *path)
{
    int64_t layer, width;
    char *site = NULL;
    enum status st;

    TRY(h5_read_text(file, path, "site", &site));
    TRY(site_parse(&header->stream.tap.site, site));
    TRY(h5_read_int(file, path, "layer", &layer));
    TRY(h5_read_double(file, path, "sum_squares", &header->sum_squares));
    TRY(h5_read_int(file, path, "hash", &header->hash));
    TRY(h5_shape(file, path, "activation", &header->rows, &width));
    TRY(read_store(&header->stream.store, file, path));
    TRY(read_source(&header->source, file, path));
    header->stream.tap.layer = (int)layer;
    header->stream.width = (int32_t)width;
done:
    free(site);
    return st;
}

static bool same_stream(struct stream a, struct stream b)
{
    return a.tap.site == b.tap.site && a.tap.layer == b.tap.layer && a.width == b.width &&
           a.store == b.store;
}

/* Read the header of shard number `shard`, and add its statistics to those of the stream. */
static enum status add_shard(struct activations *activations, int shard,
                             const struct identity *wanted)
{
    const char *path = activations->shards.paths[shard];
    struct row_statistics *all = &activations->statistics;
    struct shard_header header;
    double *sum = NULL;
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, ACTIVATION_FORMAT, ACTIVATION_VERSION));
    if (wanted != NULL)
        TRY(identity_check(file, path, wanted));
    TRY(read_header(&header, file, path));
    h5_compare_maker(file, path);
    if (shard == 0) {
        activations->stream = header.stream;
        activations->source = header.source;
        all->sum = allocate(header.stream.width, sizeof *all->sum);
    }
    REQUIRE(same_stream(header.stream, activations->stream), E_FORMAT,
            "%s holds another stream than %s", path, activations->shards.paths[0]);
    REQUIRE(header.source.rows == activations->source.rows
            && header.source.hash == activations->source.hash, E_FORMAT,
            "%s and %s are of different shuffles; remove the folder and run the same command "
            "again", path, activations->shards.paths[0]);
    sum = allocate(header.stream.width, sizeof *sum);
    TRY(h5_read_array(file, path, "sum", H5T_NATIVE_DOUBLE, sum, header.stream.width, 0));
    for (int32_t i = 0; i < header.stream.width; i++)
        all->sum[i] += sum[i];
    all->rows += header.rows;
    all->sum_squares += header.sum_squares;
    all->hash += (uint64_t)header.hash;
    activations->before[shard + 1] = all->rows;
done:
    free(sum);
    return h5_close(&file, path, st);
}

/* Refuse shuffled shards that do not hold each row of the shuffle's input once. */
static enum status check_source(const struct activations *activations)
{
    const struct row_digest source = activations->source;
    const struct row_statistics *all = &activations->statistics;

    if (source.rows == 0 || (source.rows == all->rows && source.hash == all->hash))
        return OK;
    return refuse(E_FORMAT, "the rows in %s and the shards next to it are not those that were "
                  "harvested (%lld rows of hash %016llx, not %lld of %016llx): a shard is missing, "
                  "or memory or disk was faulty; remove the folder and run the same command again",
                  activations->shards.paths[0], (long long)all->rows,
                  (unsigned long long)all->hash, (long long)source.rows,
                  (unsigned long long)source.hash);
}

enum status activations_open(struct activations *activations, char (*paths)[PATH_LENGTH],
                             const struct identity *identities, int shards)
{
    enum status st = OK;

    *activations = (struct activations){0};
    shards_make(&activations->shards, paths, shards);
    activations->before = allocate(shards + 1, sizeof *activations->before);
    for (int shard = 0; shard < shards; shard++)
        TRY(add_shard(activations, shard, identities != NULL ? &identities[shard] : NULL));
    TRY(check_source(activations));
done:
    return st;
}

/* The identities of the shards of a folder.  Caller frees. */
static struct identity *list_identities(const struct identity *folder, int shards)
{
    struct identity *list = allocate(shards, sizeof *list);
    char name[PATH_LENGTH];

    for (int shard = 0; shard < shards; shard++) {
        shards_numbered(name, "", shard);
        list[shard] = identity_within(folder, name + 1);
    }
    return list;
}

enum status activations_open_folder(struct activations *activations, const char *folder,
                                    const struct identity *identity)
{
    char (*paths)[PATH_LENGTH] = NULL;
    struct identity *identities = NULL;
    int shards = 0;
    enum status st;

    for (bool more = true; more; shards += more) {
        paths = realloc(paths, (size_t)(shards + 1) * sizeof *paths);
        if (paths == NULL)
            die("no memory for a list of shards");
        shards_numbered(paths[shards], folder, shards);
        more = file_exists(paths[shards]);
    }
    REQUIRE(shards > 0, E_USAGE, "there are no shuffled activations in %s: run saemill-shuffle "
            "first", folder);
    if (identity != NULL)
        identities = list_identities(identity, shards);
    TRY(activations_open(activations, paths, identities, shards));
done:
    free(identities);
    free(paths);
    return st;
}

static void free_sets(struct activations *activations)
{
    for (int set = 0; set < ACTIVATION_SETS; set++)
        chunk_reader_free(&activations->sets[set]);
}

void activations_rest(struct activations *activations)
{
    free_sets(activations);
    h5_enter();
    shards_rest(&activations->shards);
    h5_leave();
}

void activations_close(struct activations *activations)
{
    free_sets(activations);
    shards_free(&activations->shards);
    free(activations->statistics.sum);
    free(activations->before);
    *activations = (struct activations){0};
}

/* --- reading ----------------------------------------------------------------------- */

/* Find a data set of the open shard.  E_FORMAT if it has not row_bytes bytes a row. */
static enum status find_set(struct activations *activations, int set, const char *name,
                            int64_t row_bytes)
{
    const int64_t *before = activations->before + activations->shards.open;
    const int64_t rows = before[1] - before[0];
    const char *path = shards_path(&activations->shards);
    struct chunk_reader *reader = &activations->sets[set];
    enum status st;

    TRY(chunk_reader_find(reader, activations->shards.file, path, name));
    REQUIRE(reader->columns * reader->size == row_bytes && reader->rows == rows, E_FORMAT,
            "data set '%s' of %s has %lld rows of %lld bytes, where %lld of %lld are wanted",
            name, path, (long long)reader->rows, (long long)(reader->columns * reader->size),
            (long long)rows, (long long)row_bytes);
done:
    return st;
}

/* Open a shard and find its data sets, unless it is open. */
static enum status use_shard(struct activations *activations, int shard)
{
    enum status st = OK;

    if (activations->shards.open == shard)
        return OK;
    h5_enter();
    free_sets(activations);
    TRY(shards_use(&activations->shards, shard));
    TRY(find_set(activations, ACTIVATION_VALUES, "activation",
                 stream_row_bytes(activations->stream)));
    TRY(find_set(activations, ACTIVATION_DOCUMENT, "document", sizeof(int64_t)));
    TRY(find_set(activations, ACTIVATION_POSITION, "position", sizeof(int32_t)));
    TRY(find_set(activations, ACTIVATION_TOKEN, "token", sizeof(int32_t)));
done:
    if (st != OK)
        shards_rest(&activations->shards);
    h5_leave();
    return st;
}

/* Read values and, unless NULL, origins of some rows of the open shard. */
static enum status read_rows(struct activations *activations, struct range rows, void *values,
                             int64_t values_stride, struct row_origin *origins,
                             int64_t origins_stride)
{
    struct chunk_reader *sets = activations->sets;
    char *to = (char *)origins;
    enum status st;

    TRY(chunk_reader_read(&sets[ACTIVATION_VALUES], rows, values, values_stride));
    if (origins == NULL)
        return OK;
    TRY(chunk_reader_read(&sets[ACTIVATION_DOCUMENT], rows,
                          to + offsetof(struct row_origin, document), origins_stride));
    TRY(chunk_reader_read(&sets[ACTIVATION_POSITION], rows,
                          to + offsetof(struct row_origin, position), origins_stride));
    TRY(chunk_reader_read(&sets[ACTIVATION_TOKEN], rows,
                          to + offsetof(struct row_origin, token), origins_stride));
done:
    return st;
}

/* Read rows `range`, shard by shard, with given distances between values and between origins. */
static enum status read_range(struct activations *activations, struct range range, char *values,
                              int64_t values_stride, char *origins, int64_t origins_stride)
{
    const int64_t *before = activations->before;
    enum status st = OK;

    assert(0 <= range.first && range.end <= activations->statistics.rows);
    for (int64_t at = range.first; at < range.end; ) {
        const int64_t shard = split_find(before, activations->shards.count, at);
        const int64_t start = before[shard], stop = before[shard + 1];
        const struct range rows = { at - start, min_int64(stop, range.end) - start };

        TRY(use_shard(activations, (int)shard));
        TRY(read_rows(activations, rows, values, values_stride,
                      (struct row_origin *)(void *)origins, origins_stride));
        values += range_length(rows) * values_stride;
        origins = origins != NULL ? origins + range_length(rows) * origins_stride : NULL;
        at += range_length(rows);
    }
done:
    return st;
}

enum status activations_read(struct activations *activations, struct range range,
                             void *values, struct row_origin *origins)
{
    return read_range(activations, range, values, stream_row_bytes(activations->stream),
                      (char *)origins, sizeof *origins);
}

enum status activations_read_apart(struct activations *activations, struct range range,
                                   void *values, struct row_origin *origins, int64_t stride)
{
    return read_range(activations, range, values, stride, (char *)origins, stride);
}
