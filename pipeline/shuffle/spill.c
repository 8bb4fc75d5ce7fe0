#include "shuffle/spill.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "base/minmax.h"
#include "base/phase.h"
#include "kernels/bytes.h"
#include "shard/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Head of a spill file.  An entry for each group follows, then the chunks.  A chunk is the bytes
 * of its frames, int64, and the frames, one for each byte plane.  Planes are compressed apart
 * because zstd works in blocks of 128 kB, and a small chunk has few of them: a block with bytes
 * of two planes takes longer and becomes larger than two blocks of one plane. */
struct head {
    char    magic[16];
    int64_t version;
    int64_t record;     /* bytes */
    int64_t chunk;      /* most records of one */
    int64_t groups;
};

struct entry {
    struct spill_extent extent;
    uint64_t            hash;   /* of the extent, with the group as the seed */
};

static const char MAGIC[16] = "saemill dealt";
enum { VERSION = 3 };

static int64_t chunk_bytes(const struct spill_form *form)
{
    return form->chunk * form->record;
}

/* Most bytes that the frames of a chunk may take. */
static int64_t frames_bound(const struct spill_form *form)
{
    return form->value * (int64_t)frame_bound((size_t)(chunk_bytes(form) / form->value));
}

int64_t spill_scratch_bytes(const struct spill_form *form)
{
    return chunk_bytes(form) + frames_bound(form);
}

void spill_path(char path[PATH_LENGTH], const char *folder, int64_t run)
{
    path_print(path, "%s/%05lld", folder, (long long)run);
}

static struct head head_of(const struct spill_form *form, int64_t groups)
{
    struct head head = { .version = VERSION, .record = form->record, .chunk = form->chunk,
                         .groups = groups };

    memcpy(head.magic, MAGIC, sizeof MAGIC);
    return head;
}

static uint64_t hash_extent(const struct spill_extent *extent, int64_t group)
{
    return XXH3_64bits_withSeed(extent, sizeof *extent, (XXH64_hash_t)group);
}

/* --- writing --------------------------------------------------------------------------- */

/* Stable counting sort.  sorted[i] becomes the number of the record that comes i-th, and
 * before[g], with g up to groups_count, the number of records in the groups below g. */
static void sort_by_group(int64_t *before, const struct spill_run *run)
{
    for (int64_t i = 0; i < run->count; i++)
        before[run->groups[i] + 1]++;
    for (int32_t g = 0; g < run->groups_count; g++)
        before[g + 1] += before[g];
    for (int64_t i = 0; i < run->count; i++)
        run->sorted[before[run->groups[i]]++] = (int32_t)i;
    for (int32_t g = run->groups_count; g > 0; g--)     /* the loop above moved each to its end */
        before[g] = before[g - 1];
    before[0] = 0;
}

/* Append records number `rows` of the sorted run as one chunk, and add its bytes to *at. */
static enum status write_chunk(FILE *file, const char *path, const struct spill_form *form,
                               const struct spill_run *run, struct range rows, int64_t *at)
{
    const int64_t count = range_length(rows), values = form->record / form->value;
    const int64_t plane = count * values;
    uint8_t *planes = run->scratch, *frames = planes + chunk_bytes(form);
    const enum phase before = phase_enter(PHASE_COMPRESS);
    int64_t bytes = 0;
    bool good;

    for (int64_t i = 0; i < count; i++)
        bytes_apart(planes + i * values, plane,
                    record_at(run->records, form->record, run->sorted[rows.first + i]), values,
                    (int)form->value);
    for (int64_t p = 0; p < form->value; p++) {
        const size_t more = frame_make(frames + bytes, planes + p * plane, (size_t)plane,
                                       FRAME_ENTROPY_ONLY);

        if (more == 0)
            die("no memory to compress %s", path);
        bytes += (int64_t)more;
    }
    phase_enter(PHASE_WRITE);
    good = fwrite(&bytes, sizeof bytes, 1, file) == 1
           && fwrite(frames, (size_t)bytes, 1, file) == 1;
    phase_enter(before);
    *at += (int64_t)sizeof bytes + bytes;
    return good ? OK : file_refuse("write", path);
}

/* Write the chunks of all groups; then, in front of them, the head and where they are. */
static enum status write_groups(FILE *file, const char *path, const struct spill_form *form,
                                const struct spill_run *run, const int64_t *before)
{
    const struct head head = head_of(form, run->groups_count);
    struct entry *entries = allocate(run->groups_count, sizeof *entries);
    int64_t at = (int64_t)sizeof head + run->groups_count * (int64_t)sizeof *entries;
    enum status st;

    TRY(fseeko(file, at, SEEK_SET) == 0 ? OK : file_refuse("write", path));
    for (int32_t g = 0; g < run->groups_count; g++) {
        const int64_t rows = before[g + 1] - before[g], start = at;

        for (int64_t first = before[g]; first < before[g + 1]; first += form->chunk) {
            const int64_t end = min_int64(first + form->chunk, before[g + 1]);
            TRY(write_chunk(file, path, form, run, (struct range){ first, end }, &at));
        }
        entries[g].extent = (struct spill_extent){ start, at - start, rows };
        entries[g].hash = hash_extent(&entries[g].extent, g);
    }
    TRY(fseeko(file, 0, SEEK_SET) == 0 && fwrite(&head, sizeof head, 1, file) == 1
        && fwrite(entries, sizeof *entries, (size_t)run->groups_count, file)
           == (size_t)run->groups_count
        && fflush(file) == 0 ? OK : file_refuse("write", path));
done:
    free(entries);
    return st;
}

enum status spill_write(const char *part, const struct spill_form *form,
                        const struct spill_run *run)
{
    int64_t *before = allocate(run->groups_count + 1, sizeof *before);
    const enum phase phase = phase_enter(PHASE_WRITE);
    FILE *file = NULL;
    enum status st;

    sort_by_group(before, run);
    file = fopen(part, "wb");
    TRY(file != NULL ? OK : file_refuse("create", part));
    TRY(write_groups(file, part, form, run, before));
done:
    if (file != NULL)
        fclose(file);
    free(before);
    phase_enter(phase);
    return st;
}

/* --- opening --------------------------------------------------------------------------- */

static enum status damaged(const char *path, const char *what)
{
    return refuse(E_FORMAT, "%s is damaged: %s; remove it and run the same command again to "
                  "make it again", path, what);
}

static enum status read_at(int file, const char *path, int64_t at, void *to, int64_t bytes)
{
    const ssize_t got = pread(file, to, (size_t)bytes, at);

    return got == bytes ? OK : got < 0 ? file_refuse("read", path)
           : damaged(path, "it is too short");
}

/* Read where a group lies in the file of run number `run`. */
static enum status read_extent(const struct spill *spill, int64_t run, int32_t group,
                               int32_t groups, struct spill_extent *extent)
{
    const struct head want = head_of(&spill->form, groups);
    char path[PATH_LENGTH];
    struct entry entry;
    struct head head;
    enum status st;
    int file;

    spill_path(path, spill->folder, run);
    file = open(path, O_RDONLY);
    TRY(file >= 0 ? OK : file_refuse("open", path));
    TRY(read_at(file, path, 0, &head, sizeof head));
    TRY(memcmp(&head, &want, sizeof head) == 0
        ? OK : damaged(path, "its head is not that of a spill file of this shuffle"));
    TRY(read_at(file, path, (int64_t)sizeof head + group * (int64_t)sizeof entry, &entry,
                sizeof entry));
    TRY(entry.hash == hash_extent(&entry.extent, group)
        ? OK : damaged(path, "the checksum of its table differs"));
    *extent = entry.extent;
done:
    if (file >= 0)
        close(file);
    return st;
}

enum status spill_open(struct spill *spill, MPI_Comm comm, const char *folder, int64_t files,
                       const struct spill_form *form, int32_t group, int32_t groups)
{
    enum { NUMBERS = sizeof(struct spill_extent) / sizeof(int64_t) };
    enum status st = OK;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *spill = (struct spill){ .form = *form, .files = files, .descriptor = -1,
                             .number = -1 };
    path_print(spill->folder, "%s", folder);
    spill->extents = allocate(files, sizeof *spill->extents);
    spill->before = allocate(files + 1, sizeof *spill->before);
    spill->planes = allocate(spill_scratch_bytes(form), 1);
    spill->frames = spill->planes + chunk_bytes(form);

    const struct range mine = split_range(files, rank, size);
    for (int64_t i = mine.first; i < mine.end && st == OK; i++)
        st = read_extent(spill, i, group, groups, &spill->extents[i]);
    TRY_ALL(comm, st);
    /* An extent is zero on all ranks but the one that read it, so the sum distributes it. */
    MPI_Allreduce(MPI_IN_PLACE, spill->extents, comm_count(NUMBERS * files), MPI_INT64_T, MPI_SUM,
                  comm);
    for (int64_t i = 0; i < files; i++)
        spill->before[i + 1] = spill->before[i] + spill->extents[i].rows;
done:
    return st;
}

void spill_close(struct spill *spill)
{
    if (spill->extents != NULL && spill->descriptor >= 0)
        close(spill->descriptor);
    free(spill->planes);
    free(spill->before);
    free(spill->extents);
    *spill = (struct spill){0};
}

int64_t spill_rows(const struct spill *spill)
{
    return spill->before[spill->files];
}

/* --- reading --------------------------------------------------------------------------- */

/* Go to the group's first chunk in the file that holds record `row` of the list. */
static enum status enter_file(struct spill *spill, int64_t row)
{
    const int64_t number = split_find(spill->before, spill->files, row);
    char path[PATH_LENGTH];
    enum status st = OK;

    if (number != spill->number) {
        if (spill->descriptor >= 0)
            close(spill->descriptor);
        spill_path(path, spill->folder, number);
        spill->descriptor = open(path, O_RDONLY);
        TRY(spill->descriptor >= 0 ? OK : file_refuse("open", path));
    }
    spill->number = number;
    spill->at = spill->extents[number].at;
    spill->held = (struct range){ spill->before[number], spill->before[number] };
done:
    return st;
}

/* Decompress the next chunk of the file into `planes`. */
static enum status read_chunk(struct spill *spill)
{
    const struct spill_extent extent = spill->extents[spill->number];
    const int64_t most = frames_bound(&spill->form);
    const enum phase before = phase_enter(PHASE_READ);
    const int64_t start = spill->at + (int64_t)sizeof(int64_t);
    char path[PATH_LENGTH], what[96];
    int64_t bytes;
    size_t plane, content;
    enum status st;

    spill_path(path, spill->folder, spill->number);
    snprintf(what, sizeof what, "the chunk at byte %lld cannot be decompressed to what was "
             "written", (long long)spill->at);
    TRY(read_at(spill->descriptor, path, spill->at, &bytes, sizeof bytes));
    TRY(bytes >= 1 && bytes <= most && start + bytes <= extent.at + extent.bytes
        ? OK : damaged(path, what));
    TRY(read_at(spill->descriptor, path, start, spill->frames, bytes));
    phase_enter(PHASE_DECOMPRESS);
    TRY(frame_content(&plane, spill->frames, (size_t)bytes) ? OK : damaged(path, what));
    content = plane * (size_t)spill->form.value;
    TRY(content <= (size_t)chunk_bytes(&spill->form) && content % (size_t)spill->form.record == 0
        && frame_open(spill->planes, content, spill->frames, (size_t)bytes)
        ? OK : damaged(path, what));
    spill->held.first = spill->held.end;
    spill->held.end += (int64_t)content / spill->form.record;
    spill->at = start + bytes;
    TRY(spill->held.end <= spill->before[spill->number + 1] && spill->held.first < spill->held.end
        ? OK : damaged(path, what));
done:
    phase_enter(before);
    return st;
}

enum status spill_read(struct spill *spill, void *records, int64_t *count, int64_t capacity,
                       struct range *left)
{
    const int64_t row = left->first, values = spill->form.record / spill->form.value;
    enum status st = OK;

    if (spill->number < 0 || row < spill->held.first || row >= spill->before[spill->number + 1])
        TRY(enter_file(spill, row));
    while (row >= spill->held.end)
        TRY(read_chunk(spill));
    const int64_t end = min_int64(spill->held.end, left->end);
    const int64_t plane = range_length(spill->held) * values;
    const enum phase before = phase_enter(PHASE_DECOMPRESS);

    *count = min_int64(end - row, capacity);
    for (int64_t i = 0; i < *count; i++)
        bytes_together(record_at(records, spill->form.record, i),
                       spill->planes + (row + i - spill->held.first) * values, plane, values,
                       (int)spill->form.value);
    left->first += *count;
    phase_enter(before);
done:
    return st;
}
