#include "shuffle/partition.h"
#include "base/agree.h"
#include "base/allocate.h"

#include <stdlib.h>

/* Where a unit goes. */
struct dealing_unit {
    struct shuffling     *s;
    const struct partition *dealing;
    struct run_rows     *unit;
};

/* Rows of unit number `number` into memory, each with its group.  Local. */
static enum status read_unit(struct shuffling *s, struct source *source,
                             const struct partition *dealing, struct run_rows *unit,
                             int64_t number)
{
    const int64_t bytes = s->room.record_bytes, rows = range_length(source->rows);
    struct range left = split_block(rows, s->passes.unit, number);
    int64_t more;
    enum status st = OK;

    unit->number = number;
    unit->count = 0;
    while (left.first < left.end) {
        TRY(source_read(source, record_at(unit->records, bytes, unit->count), bytes,
                        range_length(left), &more, &left));
        unit->count += more;
    }
    for (int64_t i = 0; i < unit->count; i++) {
        const int64_t window = shuffle_plan_window(&s->passes,
                                             record_at(unit->records, bytes, i)->row);
        unit->groups[i] = (int32_t)((window - dealing->windows.first) / dealing->each);
    }
done:
    return st;
}

/* The writer's job: sort a unit by group, write its file, have it published.  Local. */
static enum status write_unit(void *of)
{
    const struct dealing_unit *d = of;
    const struct spill_run unit = {
        .records = d->unit->records, .count = d->unit->count, .groups = d->unit->groups,
        .groups_count = (int32_t)d->dealing->groups, .sorted = d->unit->sorted,
        .room = d->s->buffers.dealing,
    };
    char path[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    spill_path(path, d->dealing->folder, d->unit->number);
    path_print(part, "%s.part", path);
    TRY(spill_write(part, &d->s->form, &unit));
    shuffling_publish(d->s, path);
done:
    return st;
}

/* The units whose files are not there yet, as rank 0 sees it.  Caller frees.  Collective. */
static int64_t *list_missing(const struct shuffling *s, const struct partition *dealing,
                             int64_t *count)
{
    int64_t *missing = allocate(dealing->units, sizeof *missing);
    char path[PATH_LENGTH];

    *count = 0;
    for (int64_t unit = 0; s->run->rank == 0 && unit < dealing->units; unit++) {
        spill_path(path, dealing->folder, unit);
        if (!file_exists(path))
            missing[(*count)++] = unit;
    }
    MPI_Bcast(count, 1, MPI_INT64_T, 0, s->run->comm);
    MPI_Bcast(missing, comm_count(*count), MPI_INT64_T, 0, s->run->comm);
    return missing;
}

/* Deal the units that are missing; while one is written, the next is read.  Each rank takes
 * neighbours, so that what two of them share of a chunk is read once.  Collective. */
static enum status deal_missing(struct shuffling *s, struct source *source,
                                const struct partition *dealing, const int64_t *missing,
                                int64_t count)
{
    const struct range mine = split_range(count, s->run->rank, s->run->size);
    const int64_t rounds = split_blocks(count, s->run->size);
    struct dealing_unit writing[2];
    enum status st = OK, written;

    for (int64_t round = 0; round < rounds; round++) {
        const int64_t at = mine.first + round;
        struct run_rows *unit = &s->buffers.units[round % 2];

        st = at < mine.end ? read_unit(s, source, dealing, unit, missing[at]) : OK;
        written = shuffling_await(s);
        phase_enter(PHASE_NONE);
        comm_meet(s->run->comm);
        phase_enter(PHASE_COMPUTE);
        TRY_ALL(s->run->comm, st != OK ? st : written);
        if (at < mine.end) {
            writing[round % 2] = (struct dealing_unit){ s, dealing, unit };
            worker_begin(&s->writer, write_unit, &writing[round % 2]);
        }
        s->done += s->run->size * s->passes.unit;
        shuffling_tell(s, "dealing");
        TRY(run_stopping(s->run) ? shuffling_stopped() : OK);
    }
done:
    written = shuffling_settle(s);
    return st != OK ? st : agree(s->run->comm, written);
}

enum status partition_run(struct shuffling *s, struct source *source, const struct partition *dealing)
{
    const int64_t done = s->done, rows = range_length(source->rows);
    int64_t count, *missing;
    enum status st;

    TRY_ALL(s->run->comm, shuffling_await(s));      /* units lie where windows do */
    missing = list_missing(s, dealing, &count);
    s->skipped += (dealing->units - count) * s->passes.unit;
    st = agree(s->run->comm, s->run->rank == 0 ? file_make_folder(dealing->folder) : OK);
    if (st == OK)
        st = deal_missing(s, source, dealing, missing, count);
    s->done = done + rows;
    free(missing);
done:
    return st;
}
