#include "shuffle/spill.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "base/phase.h"
#include "kernels/bytes.h"
#include "shard/frame.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Head of a dealt file; behind it an entry for each group, then the chunks.  A chunk is its
 * frames' bytes, int64, and the frames, one for each plane of bytes: zstd works in blocks of 128
 * kB, of which a small chunk has few, and a block with bytes of two planes would take longer and
 * come out larger than two of one. */
struct head {
    char    magic[16];
    int64_t version;
    int64_t record;     /* bytes */
    int64_t chunk;      /* most records of one */
    int64_t groups;
};

struct entry {
    struct spill_piece piece;
    uint64_t           hash;    /* of the piece, with the group as the seed */
};

static const char MAGIC[16] = "saemill dealt";
enum { VERSION = 3 };

static int64_t chunk_bytes(const struct spill_form *form)
{
    return form->chunk * form->record;
}

/* Most bytes of the frames of a chunk. */
static int64_t frames_bound(const struct spill_form *form)
{
    return form->value * (int64_t)frame_bound((size_t)(chunk_bytes(form) / form->value));
}

int64_t spill_scratch_bytes(const struct spill_form *form)
{
    return chunk_bytes(form) + frames_bound(form);
}

void spill_path(char path[PATH_LENGTH], const char *folder, int64_t unit)
{
    path_print(path, "%s/%05lld", folder, (long long)unit);
}

static struct head head_of(const struct spill_form *form, int64_t groups)
{
    struct head head = { .version = VERSION, .record = form->record, .chunk = form->chunk,
                         .groups = groups };

    memcpy(head.magic, MAGIC, sizeof MAGIC);
    return head;
}

static uint64_t hash_piece(const struct spill_piece *piece, int64_t group)
{
    return XXH3_64bits_withSeed(piece, sizeof *piece, (XXH64_hash_t)group);
}

/* --- writing --------------------------------------------------------------------------- */

/* Counting sort, stable: sorted[i] is the record that comes i-th; before [groups + 1]. */
static void sort_by_group(int64_t *before, const struct spill_run *unit)
{
    for (int64_t i = 0; i < unit->count; i++)
        before[unit->groups[i] + 1]++;
    for (int32_t g = 0; g < unit->groups_count; g++)
        before[g + 1] += before[g];
    for (int64_t i = 0; i < unit->count; i++)
        unit->sorted[before[unit->groups[i]]++] = (int32_t)i;
    for (int32_t g = unit->groups_count; g > 0; g--)    /* each has moved to the next one's place */
        before[g] = before[g - 1];
    before[0] = 0;
}

/* Sorted records first, ..., end - 1 as one chunk at the end of the file; *at moves behind it. */
static enum status write_chunk(FILE *file, const char *path, const struct spill_form *form,
                               const struct spill_run *unit, struct range rows, int64_t *at)
{
    const int64_t count = range_length(rows), values = form->record / form->value;
    const int64_t plane = count * values;
    uint8_t *planes = unit->room, *frames = planes + chunk_bytes(form);
    const enum phase before = phase_enter(PHASE_COMPRESS);
    int64_t bytes = 0;
    bool good;

    for (int64_t i = 0; i < count; i++)
        bytes_apart(planes + i * values, plane,
                    record_at(unit->records, form->record, unit->sorted[rows.first + i]), values,
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

/* The chunks of all groups, and then, in front of them, where they are. */
static enum status write_groups(FILE *file, const char *path, const struct spill_form *form,
                                const struct spill_run *unit, const int64_t *before)
{
    const struct head head = head_of(form, unit->groups_count);
    struct entry *entries = allocate(unit->groups_count, sizeof *entries);
    int64_t at = (int64_t)sizeof head + unit->groups_count * (int64_t)sizeof *entries;
    enum status st;

    TRY(fseeko(file, at, SEEK_SET) != 0 ? file_refuse("write", path) : OK);
    for (int32_t g = 0; g < unit->groups_count; g++) {
        const int64_t rows = before[g + 1] - before[g], start = at;

        for (int64_t first = before[g]; first < before[g + 1]; first += form->chunk) {
            const int64_t end = first + form->chunk;
            TRY(write_chunk(file, path, form, unit, (struct range){
                            first, end < before[g + 1] ? end : before[g + 1] }, &at));
        }
        entries[g].piece = (struct spill_piece){ start, at - start, rows };
        entries[g].hash = hash_piece(&entries[g].piece, g);
    }
    TRY(fseeko(file, 0, SEEK_SET) != 0 || fwrite(&head, sizeof head, 1, file) != 1
        || fwrite(entries, sizeof *entries, (size_t)unit->groups_count, file)
           != (size_t)unit->groups_count
        || fflush(file) != 0 ? file_refuse("write", path) : OK);
done:
    free(entries);
    return st;
}

enum status spill_write(const char *part, const struct spill_form *form,
                        const struct spill_run *unit)
{
    int64_t *before = allocate(unit->groups_count + 1, sizeof *before);
    const enum phase phase = phase_enter(PHASE_WRITE);
    FILE *file = NULL;
    enum status st;

    sort_by_group(before, unit);
    file = fopen(part, "wb");
    TRY(file == NULL ? file_refuse("create", part) : OK);
    TRY(write_groups(file, part, form, unit, before));
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
                  "make it anew", path, what);
}

static enum status read_at(int file, const char *path, int64_t at, void *to, int64_t bytes)
{
    const ssize_t got = pread(file, to, (size_t)bytes, at);

    return got == bytes ? OK : got < 0 ? file_refuse("read", path)
           : damaged(path, "it is too short");
}

/* Where a group lies in one file. */
static enum status read_piece(const struct spill *dealt, int64_t unit, int32_t group,
                              int32_t groups, struct spill_piece *piece)
{
    const struct head want = head_of(&dealt->form, groups);
    char path[PATH_LENGTH];
    struct entry entry;
    struct head head;
    enum status st;
    int file;

    spill_path(path, dealt->folder, unit);
    file = open(path, O_RDONLY);
    TRY(file < 0 ? file_refuse("open", path) : OK);
    TRY(read_at(file, path, 0, &head, sizeof head));
    TRY(memcmp(&head, &want, sizeof head) != 0
        ? damaged(path, "its head is not that of a dealt file of this shuffle") : OK);
    TRY(read_at(file, path, (int64_t)sizeof head + group * (int64_t)sizeof entry, &entry,
                sizeof entry));
    TRY(entry.hash != hash_piece(&entry.piece, group)
        ? damaged(path, "the checksum of its table differs") : OK);
    *piece = entry.piece;
done:
    if (file >= 0)
        close(file);
    return st;
}

enum status spill_open(struct spill *dealt, MPI_Comm comm, const char *folder, int64_t units,
                       const struct spill_form *form, int32_t group, int32_t groups)
{
    enum { NUMBERS = sizeof(struct spill_piece) / sizeof(int64_t) };
    enum status st = OK;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *dealt = (struct spill){ .form = *form, .units = units, .file = -1, .piece = -1 };
    path_print(dealt->folder, "%s", folder);
    dealt->pieces = allocate(units, sizeof *dealt->pieces);
    dealt->before = allocate(units + 1, sizeof *dealt->before);
    dealt->planes = allocate(spill_scratch_bytes(form), 1);
    dealt->frames = dealt->planes + chunk_bytes(form);

    const struct range mine = split_range(units, rank, size);
    for (int64_t u = mine.first; u < mine.end && st == OK; u++)
        st = read_piece(dealt, u, group, groups, &dealt->pieces[u]);
    TRY_ALL(comm, st);
    /* Every piece is zero on all ranks but one. */
    MPI_Allreduce(MPI_IN_PLACE, dealt->pieces, comm_count(NUMBERS * units), MPI_INT64_T, MPI_SUM,
                  comm);
    for (int64_t u = 0; u < units; u++)
        dealt->before[u + 1] = dealt->before[u] + dealt->pieces[u].rows;
done:
    return st;
}

void spill_close(struct spill *dealt)
{
    if (dealt->pieces != NULL && dealt->file >= 0)
        close(dealt->file);
    free(dealt->planes);
    free(dealt->before);
    free(dealt->pieces);
    *dealt = (struct spill){0};
}

int64_t spill_rows(const struct spill *dealt)
{
    return dealt->before[dealt->units];
}

/* --- reading --------------------------------------------------------------------------- */

/* Stand before the first chunk of the piece that record `row` of the list is in. */
static enum status enter_piece(struct spill *dealt, int64_t row)
{
    const int64_t piece = split_find(dealt->before, dealt->units, row);
    char path[PATH_LENGTH];
    enum status st = OK;

    if (piece != dealt->piece) {
        if (dealt->file >= 0)
            close(dealt->file);
        spill_path(path, dealt->folder, piece);
        dealt->file = open(path, O_RDONLY);
        TRY(dealt->file < 0 ? file_refuse("open", path) : OK);
    }
    dealt->piece = piece;
    dealt->at = dealt->pieces[piece].at;
    dealt->held = (struct range){ dealt->before[piece], dealt->before[piece] };
done:
    return st;
}

/* The next chunk of the piece into `planes`. */
static enum status hold_next(struct spill *dealt)
{
    const struct spill_piece piece = dealt->pieces[dealt->piece];
    const int64_t most = frames_bound(&dealt->form);
    const enum phase before = phase_enter(PHASE_READ);
    const int64_t start = dealt->at + (int64_t)sizeof(int64_t);
    char path[PATH_LENGTH], what[96];
    int64_t bytes;
    size_t plane, content;
    enum status st;

    spill_path(path, dealt->folder, dealt->piece);
    snprintf(what, sizeof what, "the chunk at byte %lld cannot be decompressed to what was "
             "written", (long long)dealt->at);
    TRY(read_at(dealt->file, path, dealt->at, &bytes, sizeof bytes));
    TRY(bytes < 1 || bytes > most || start + bytes > piece.at + piece.bytes
        ? damaged(path, what) : OK);
    TRY(read_at(dealt->file, path, start, dealt->frames, bytes));
    phase_enter(PHASE_DECOMPRESS);
    TRY(!frame_content(&plane, dealt->frames, (size_t)bytes) ? damaged(path, what) : OK);
    content = plane * (size_t)dealt->form.value;
    TRY(content > (size_t)chunk_bytes(&dealt->form) || content % (size_t)dealt->form.record != 0
        || !frame_open(dealt->planes, content, dealt->frames, (size_t)bytes)
        ? damaged(path, what) : OK);
    dealt->held.first = dealt->held.end;
    dealt->held.end += (int64_t)content / dealt->form.record;
    dealt->at = start + bytes;
    TRY(dealt->held.end > dealt->before[dealt->piece + 1] || dealt->held.first == dealt->held.end
        ? damaged(path, what) : OK);
done:
    phase_enter(before);
    return st;
}

enum status spill_read(struct spill *dealt, void *records, int64_t *count, int64_t capacity,
                       struct range *left)
{
    const int64_t row = left->first, values = dealt->form.record / dealt->form.value;
    enum status st = OK;

    if (dealt->piece < 0 || row < dealt->held.first || row >= dealt->before[dealt->piece + 1])
        TRY(enter_piece(dealt, row));
    while (row >= dealt->held.end)
        TRY(hold_next(dealt));
    const int64_t end = dealt->held.end < left->end ? dealt->held.end : left->end;
    const int64_t plane = range_length(dealt->held) * values;
    const enum phase before = phase_enter(PHASE_DECOMPRESS);

    *count = end - row < capacity ? end - row : capacity;
    for (int64_t i = 0; i < *count; i++)
        bytes_together(record_at(records, dealt->form.record, i),
                       dealt->planes + (row + i - dealt->held.first) * values, plane, values,
                       (int)dealt->form.value);
    left->first += *count;
    phase_enter(before);
done:
    return st;
}
