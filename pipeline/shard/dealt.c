#include "shard/dealt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Head of a dealt file; behind it groups + 1 int64: before how many records each group
 * begins, and the number of all; then the records. */
struct head {
    char    magic[16];
    int64_t version;
    int64_t bytes;      /* of a record */
    int64_t groups;
};

static const char MAGIC[16] = "saemill dealt";
enum { VERSION = 1, STREAM_BYTES = 64 << 10 };

void dealt_path(char path[PATH_LENGTH], const char *folder, int64_t unit)
{
    path_print(path, "%s/%05lld", folder, (long long)unit);
}

static uint64_t hash_record(const struct record *record, int64_t bytes)
{
    return XXH3_64bits(&record->row, (size_t)bytes - sizeof record->hash);
}

/* --- writing --------------------------------------------------------------------------- */

/* Counting sort, stable: sorted[i] is the record that comes i-th; before [groups + 1]. */
static void sort_by_group(int32_t *sorted, int64_t *before, const int32_t *groups, int64_t count,
                          int32_t groups_count)
{
    for (int64_t i = 0; i < count; i++)
        before[groups[i] + 1]++;
    for (int32_t g = 0; g < groups_count; g++)
        before[g + 1] += before[g];
    for (int64_t i = 0; i < count; i++)
        sorted[before[groups[i]]++] = (int32_t)i;
    for (int32_t g = groups_count; g > 0; g--)      /* each has moved to the next one's place */
        before[g] = before[g - 1];
    before[0] = 0;
}

static enum status write_all(FILE *file, const char *path, void *records, int64_t bytes,
                             int64_t count, const int64_t *before, int32_t groups_count,
                             const int32_t *sorted)
{
    struct head head = { .version = VERSION, .bytes = bytes, .groups = groups_count };
    const size_t places = (size_t)groups_count + 1;
    bool good;

    memcpy(head.magic, MAGIC, sizeof MAGIC);
    good = fwrite(&head, sizeof head, 1, file) == 1
           && fwrite(before, sizeof *before, places, file) == places;
    for (int64_t i = 0; good && i < count; i++) {
        struct record *record = record_at(records, bytes, sorted[i]);

        record->hash = hash_record(record, bytes);
        good = fwrite(record, (size_t)bytes, 1, file) == 1;
    }
    return good && fflush(file) == 0 ? OK : file_refuse("write", path);
}

enum status dealt_write(const char *path, void *records, int64_t bytes, int64_t count,
                        const int32_t *groups, int32_t groups_count, int32_t *sorted)
{
    int64_t *before = allocate(groups_count + 1, sizeof *before);
    char part[PATH_LENGTH];
    FILE *file = NULL;
    enum status st;

    sort_by_group(sorted, before, groups, count, groups_count);
    path_print(part, "%s.part", path);
    file = fopen(part, "wb");
    TRY(file == NULL ? file_refuse("create", part) : OK);
    setvbuf(file, NULL, _IOFBF, STREAM_BYTES);
    TRY(write_all(file, part, records, bytes, count, before, groups_count, sorted));
    TRY(file_publish(path));
done:
    if (file != NULL)
        fclose(file);
    free(before);
    return st;
}

/* --- reading --------------------------------------------------------------------------- */

static enum status damaged(const char *path, const char *what)
{
    return refuse(E_FORMAT, "%s is damaged: %s; remove it and run the same command again to "
                  "make it anew", path, what);
}

static enum status read_at(FILE *file, const char *path, int64_t place, void *to, int64_t bytes)
{
    if (fseeko(file, place, SEEK_SET) != 0)
        return file_refuse("read", path);
    if (fread(to, 1, (size_t)bytes, file) != (size_t)bytes)
        return ferror(file) ? file_refuse("read", path) : damaged(path, "it is too short");
    return OK;
}

/* Where a group begins and ends in one file. */
static enum status read_extent(const struct dealt *dealt, int64_t unit, int32_t group,
                               int32_t groups, int64_t extent[2])
{
    char path[PATH_LENGTH];
    struct head head;
    FILE *file;
    enum status st;

    dealt_path(path, dealt->folder, unit);
    file = fopen(path, "rb");
    TRY(file == NULL ? file_refuse("open", path) : OK);
    TRY(read_at(file, path, 0, &head, sizeof head));
    TRY(memcmp(head.magic, MAGIC, sizeof MAGIC) != 0 || head.version != VERSION
        || head.bytes != dealt->bytes || head.groups != groups
        ? damaged(path, "its head is not that of a dealt file of this shuffle") : OK);
    TRY(read_at(file, path, (int64_t)sizeof head + group * (int64_t)sizeof *extent, extent,
                2 * sizeof *extent));
    TRY(extent[0] < 0 || extent[1] < extent[0] ? damaged(path, "its groups overlap") : OK);
done:
    if (file != NULL)
        fclose(file);
    return st;
}

enum status dealt_open(struct dealt *dealt, MPI_Comm comm, const char *folder, int64_t units,
                       int64_t bytes, int32_t group, int32_t groups)
{
    int64_t *extents = allocate(units, 2 * sizeof *extents);
    enum status st = OK;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *dealt = (struct dealt){ .bytes = bytes, .units = units };
    path_print(dealt->folder, "%s", folder);
    dealt->first = allocate(units, sizeof *dealt->first);
    dealt->before = allocate(units + 1, sizeof *dealt->before);

    const struct range mine = split_range(units, rank, size);
    for (int64_t u = mine.first; u < mine.end && st == OK; u++)
        st = read_extent(dealt, u, group, groups, extents + 2 * u);
    TRY_ALL(comm, st);
    /* Every extent is zero on all ranks but one. */
    MPI_Allreduce(MPI_IN_PLACE, extents, mpi_count(2 * units), MPI_INT64_T, MPI_SUM, comm);
    const int64_t records = (int64_t)sizeof(struct head) + (groups + 1) * (int64_t)sizeof(int64_t);
    for (int64_t u = 0; u < units; u++) {
        dealt->first[u] = records + extents[2 * u] * bytes;
        dealt->before[u + 1] = dealt->before[u] + extents[2 * u + 1] - extents[2 * u];
    }
done:
    free(extents);
    return st;
}

void dealt_close(struct dealt *dealt)
{
    free(dealt->before);
    free(dealt->first);
    *dealt = (struct dealt){0};
}

enum status dealt_read(struct dealt *dealt, void *records, int64_t *count, int64_t capacity,
                       struct range *left)
{
    const int64_t unit = split_find(dealt->before, dealt->units, left->first);
    const int64_t end = dealt->before[unit + 1] < left->end ? dealt->before[unit + 1] : left->end;
    const int64_t start = dealt->first[unit]
                          + (left->first - dealt->before[unit]) * dealt->bytes;
    char path[PATH_LENGTH], what[64];
    FILE *file = NULL;
    enum status st;

    *count = end - left->first < capacity ? end - left->first : capacity;
    dealt_path(path, dealt->folder, unit);
    file = fopen(path, "rb");
    TRY(file == NULL ? file_refuse("open", path) : OK);
    setvbuf(file, NULL, _IONBF, 0);
    TRY(read_at(file, path, start, records, *count * dealt->bytes));
    for (int64_t i = 0; i < *count; i++) {
        const struct record *record = record_at(records, dealt->bytes, i);

        if (record->hash == hash_record(record, dealt->bytes))
            continue;
        snprintf(what, sizeof what, "the checksum of the record at byte %lld differs",
                 (long long)(start + i * dealt->bytes));
        TRY(damaged(path, what));
    }
    left->first += *count;
done:
    if (file != NULL)
        fclose(file);
    return st;
}
