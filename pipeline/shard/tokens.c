#include "shard/tokens.h"
#include "base/allocate.h"
#include "base/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "saemill tokens";
/* Shards with ids that are not kept are of a version of their own, which programs that know nothing
 * of these refuse. */
enum { VERSION = 2, VERSION_UNKEPT = 3 };

/* Sequences are read one by one in random order, so chunks are small. */
enum { CHUNK_SEQUENCES = 16 };

static const char *const PARTS[TOKENS_PARTS] = { "train", "holdout" };

int32_t tokens_unkept(int32_t id)
{
    return -1 - id;
}

bool tokens_is_text(struct special_tokens special, int32_t id)
{
    return id >= 0 && id != special.bos && id != special.eos && id != special.pad;
}

void tokens_seen(int32_t *seen, const int32_t *ids, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        seen[i] = ids[i] < 0 ? tokens_unkept(ids[i]) : ids[i];
}

/* --- writing ----------------------------------------------------------------------- */

/* Create the empty data sets of a part. */
static enum status create_part(struct tokens_writer *writer, enum tokens_part part)
{
    const hid_t group = H5Gcreate2(writer->file, PARTS[part], H5P_DEFAULT, H5P_DEFAULT,
                                   H5P_DEFAULT);
    struct tokens_sets *sets = &writer->parts[part];
    enum status st;

    TRY(group >= 0 ? OK : h5_refuse(E_IO, "make a group in", writer->path));
    TRY(h5_make_set(&sets->ids, group, writer->path, "ids", H5T_STD_I32LE, -1, writer->context,
                    CHUNK_SEQUENCES));
    TRY(h5_make_set(&sets->documents, group, writer->path, "document", H5T_STD_I64LE, -1, 0,
                    CHUNK_SEQUENCES * 64));
    TRY(h5_make_set(&sets->starts, group, writer->path, "start", H5T_STD_I64LE, -1, 0,
                    CHUNK_SEQUENCES * 64));
done:
    if (group >= 0)
        H5Gclose(group);
    return st;
}

enum status tokens_create(struct tokens_writer *writer, const char *path, int64_t context,
                          struct special_tokens special, bool unkept, const char *source,
                          const struct identity *identity)
{
    char part[PATH_LENGTH];
    enum status st;

    *writer = (struct tokens_writer){
        .context = context,
        .file = -1,
        .parts = { { -1, -1, -1, 0 }, { -1, -1, -1, 0 } },
    };
    path_print(writer->path, "%s", path);
    path_print(part, "%s.part", path);
    TRY(file_make_folder_above(path));
    TRY(h5_create(&writer->file, part, MPI_COMM_NULL));
    TRY(h5_write_format(writer->file, part, FORMAT, unkept ? VERSION_UNKEPT : VERSION));
    TRY(h5_write_int(writer->file, part, "bos", special.bos));
    TRY(h5_write_int(writer->file, part, "eos", special.eos));
    TRY(h5_write_int(writer->file, part, "pad", special.pad));
    TRY(h5_write_text(writer->file, part, "source", source));
    TRY(h5_write_text(writer->file, part, "suite", identity->suite));
    TRY(identity_write(writer->file, part, identity));
    TRY(create_part(writer, TOKENS_TRAIN));
    TRY(create_part(writer, TOKENS_HOLDOUT));
done:
    return st;
}

/* Extend the three data sets of a part. */
static enum status lengthen(const struct tokens_writer *writer, const struct tokens_sets *sets,
                            int64_t sequences)
{
    const hsize_t size[] = { (hsize_t)sequences, (hsize_t)writer->context };

    if (H5Dset_extent(sets->ids, size) < 0 || H5Dset_extent(sets->documents, size) < 0 ||
        H5Dset_extent(sets->starts, size) < 0)
        return h5_refuse(E_IO, "lengthen", writer->path);
    return OK;
}

enum status tokens_append(struct tokens_writer *writer, enum tokens_part part, int64_t sequences,
                          const int32_t *ids, const struct sequence_origin *origins)
{
    struct tokens_sets *sets = &writer->parts[part];
    int64_t *column = allocate(sequences, sizeof *column);
    enum status st;

    TRY(lengthen(writer, sets, sets->sequences + sequences));
    TRY(h5_write_rows(sets->ids, writer->path, H5T_NATIVE_INT32, H5P_DEFAULT, sets->sequences,
                      sequences, writer->context, ids));
    for (int64_t i = 0; i < sequences; i++)
        column[i] = origins[i].document;
    TRY(h5_write_rows(sets->documents, writer->path, H5T_NATIVE_INT64, H5P_DEFAULT,
                      sets->sequences, sequences, 0, column));
    for (int64_t i = 0; i < sequences; i++)
        column[i] = origins[i].start;
    TRY(h5_write_rows(sets->starts, writer->path, H5T_NATIVE_INT64, H5P_DEFAULT,
                      sets->sequences, sequences, 0, column));
    sets->sequences += sequences;
done:
    free(column);
    return st;
}

enum status tokens_publish(struct tokens_writer *writer, enum status st)
{
    if (writer->path[0] == '\0')
        return st;
    for (int part = 0; part < TOKENS_PARTS; part++) {
        struct tokens_sets *sets = &writer->parts[part];
        st = h5_close_set(&sets->ids, writer->path, st);
        st = h5_close_set(&sets->documents, writer->path, st);
        st = h5_close_set(&sets->starts, writer->path, st);
    }
    st = h5_close(&writer->file, writer->path, st);
    if (st == OK)
        st = file_publish(writer->path);
    *writer = (struct tokens_writer){0};
    return st;
}

/* --- reading ----------------------------------------------------------------------- */

/* Does a shard hold ids that are not kept? */
static enum status check_format(hid_t file, const char *path, bool *unkept)
{
    int64_t version;
    enum status st;

    TRY(h5_read_int(file, path, "version", &version));
    *unkept = version == VERSION_UNKEPT;
    TRY(h5_check_format(file, path, FORMAT, *unkept ? VERSION_UNKEPT : VERSION));
done:
    return st;
}

static enum status read_special(struct special_tokens *special, hid_t file, const char *path)
{
    int64_t bos, eos, pad;
    enum status st;

    TRY(h5_read_int(file, path, "bos", &bos));
    TRY(h5_read_int(file, path, "eos", &eos));
    TRY(h5_read_int(file, path, "pad", &pad));
    *special = (struct special_tokens){ (int32_t)bos, (int32_t)eos, (int32_t)pad };
done:
    return st;
}

/* Read the header of a shard, and add its sequences to both parts. */
static enum status add_shard(struct tokens *tokens, int shard, const struct identity *identity)
{
    const char *path = tokens->shards.paths[shard];
    struct special_tokens special;
    int64_t sequences, context;
    char name[32];
    bool unkept;
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(check_format(file, path, &unkept));
    if (identity != NULL)
        TRY(identity_check(file, path, identity));
    TRY(read_special(&special, file, path));
    for (int part = 0; part < TOKENS_PARTS; part++) {
        snprintf(name, sizeof name, "%s/ids", PARTS[part]);
        TRY(h5_shape(file, path, name, &sequences, &context));
        REQUIRE(context == tokens->context, E_FORMAT, "%s has sequences of %lld ids (%s), but "
                "corpus.context is %lld: it was made for another suite; remove it and run tokenize "
                "again", path, (long long)context, name, (long long)tokens->context);
        tokens->sequences[part] += sequences;
        tokens->before[part][shard + 1] = tokens->sequences[part];
    }
    if (shard == 0) {
        tokens->special = special;
        tokens->unkept = unkept;
    }
    REQUIRE(unkept == tokens->unkept, E_FORMAT, "of %s and %s one was made from chats and one from "
            "text; remove the tokens and run again", path, tokens->shards.paths[0]);
    REQUIRE(memcmp(&special, &tokens->special, sizeof special) == 0, E_FORMAT, "%s was made with "
            "another tokenizer than %s; remove the tokens and run again", path,
            tokens->shards.paths[0]);
done:
    return h5_close(&file, path, st);
}

enum status tokens_open(struct tokens *tokens, char (*paths)[PATH_LENGTH],
                        const struct identity *identities, int shards, int64_t context)
{
    enum status st = OK;

    *tokens = (struct tokens){ .context = context };
    shards_make(&tokens->shards, paths, shards);
    for (int part = 0; part < TOKENS_PARTS; part++)
        tokens->before[part] = allocate(shards + 1, sizeof *tokens->before[part]);
    for (int shard = 0; shard < shards; shard++)
        TRY(add_shard(tokens, shard, identities != NULL ? &identities[shard] : NULL));
done:
    return st;
}

void tokens_close(struct tokens *tokens)
{
    shards_free(&tokens->shards);
    for (int part = 0; part < TOKENS_PARTS; part++)
        free(tokens->before[part]);
    *tokens = (struct tokens){0};
}

/* Read row `row` of data set PART/NAME of the open shard. */
static enum status read_one(struct tokens *tokens, enum tokens_part part, const char *name,
                            hid_t type, int64_t row, int64_t columns, void *value)
{
    const char *path = shards_path(&tokens->shards);
    char full[32];
    enum status st;

    snprintf(full, sizeof full, "%s/%s", PARTS[part], name);
    const hid_t set = H5Dopen2(tokens->shards.file, full, H5P_DEFAULT);
    if (set < 0)
        return h5_refuse(E_FORMAT, "read", path);
    st = h5_read_rows(set, path, type, row, 1, columns, value);
    H5Dclose(set);
    return st;
}

/* Only a shard of the version for it holds complements. */
static enum status check_ids(struct tokens *tokens, const int32_t *ids)
{
    enum status st = OK;

    for (int64_t i = 0; !tokens->unkept && i < tokens->context; i++)
        REQUIRE(ids[i] >= 0, E_FORMAT, "%s holds the token id %d, which is none; remove it and run "
                "tokenize again", shards_path(&tokens->shards), ids[i]);
done:
    return st;
}

enum status tokens_read(struct tokens *tokens, enum tokens_part part,
                        const int64_t *chosen, int64_t count,
                        int32_t *ids, struct sequence_origin *origins)
{
    enum status st = OK;

    h5_enter();
    for (int64_t i = 0; i < count; i++) {
        const int64_t *before = tokens->before[part];
        const int64_t shard = split_find(before, tokens->shards.count, chosen[i]);
        const int64_t row = chosen[i] - before[shard];

        TRY(shards_use(&tokens->shards, (int)shard));
        TRY(read_one(tokens, part, "ids", H5T_NATIVE_INT32, row, tokens->context,
                     ids + i * tokens->context));
        TRY(check_ids(tokens, ids + i * tokens->context));
        TRY(read_one(tokens, part, "document", H5T_NATIVE_INT64, row, 0, &origins[i].document));
        TRY(read_one(tokens, part, "start", H5T_NATIVE_INT64, row, 0, &origins[i].start));
    }
done:
    h5_leave();
    return st;
}
