#include "shard/reorder.h"
#include "shard/activation_writer.h"
#include "shard/buffers.h"
#include "shard/dealt.h"
#include "shard/exchange.h"
#include "shard/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One shuffle, from beginning to end. */
struct state {
    const struct reorder    *job;
    struct run              *run;
    char                     part[PATH_LENGTH];     /* FOLDER.part */
    struct room              room;
    struct passes            passes;
    struct buffers           buffers;
    struct exchange          exchange;
    struct activation_writer writer;    /* of the shard that the last window ended in */
    struct range             window;    /* whose rows are being taken */
    int64_t                  shards;
    char                    *complete;  /* [shards] */
    double                   since;     /* for the progress */
    int64_t                  skipped, done;
};

/* Where rows come from: a group of dealt rows, or (dealt NULL) the input. */
struct source {
    struct dealt *dealt;
    int64_t       rows;
};

void reorder_path(char path[PATH_LENGTH], const char *folder, int64_t shard)
{
    path_print(path, "%s/%05lld.h5", folder, (long long)shard);
}

/* Output rows of some windows. */
static struct range rows_of(const struct state *s, struct range windows)
{
    return (struct range){ passes_range(&s->passes, windows.first).first,
                           passes_range(&s->passes, windows.end - 1).end };
}

/* "res.01, window 2 of 9": how far the work is. */
static void tell_progress(struct state *s, const char *step)
{
    char what[96], name[32];

    snprintf(what, sizeof what, "%s, %s", tap_name(name, s->job->input->stream.tap), step);
    run_progress(s->run, what, s->since, s->skipped, s->done,
                 s->passes.rows * (s->passes.dealings + 1), "rows moved");
}

/* Collective. */
static enum status stop_if_asked(struct run *run)
{
    if (!run_stopping(run))
        return OK;
    return refuse(E_STOPPED, "stopped by a signal; run the same command again to go on");
}

/* --- reading ----------------------------------------------------------------------------- */

/* Fill `records` with up to `capacity` rows of the source, from left->first on.  Local. */
static enum status read_records(struct state *s, struct source source, char *records,
                                int64_t *count, int64_t capacity, struct range *left)
{
    const enum phase before = phase_enter(PHASE_READ);
    const struct buffers *b = &s->buffers;
    enum status st = OK;
    int64_t more = 1;

    *count = 0;
    while (more > 0 && *count < capacity && left->first < left->end) {
        char *next = records + *count * s->room.record_bytes;

        TRY(source.dealt != NULL
            ? dealt_read(source.dealt, next, &more, capacity - *count, left)
            : records_read(next, &more, capacity - *count, left, s->job->input, &s->job->order,
                           b->chunk, b->chunk_origins, b->chunk_places));
        *count += more;
    }
done:
    phase_enter(before);
    return st;
}

/* A row that is not among `rows` was dealt to the wrong file. */
static enum status check_row(const struct state *s, const struct record *record,
                             struct range rows)
{
    if (rows.first <= record->row && record->row < rows.end)
        return OK;
    return refuse(E_FORMAT, "the files on the way in %s are damaged: row %lld lies among rows "
                  "%lld to %lld; remove the folder and run the same command again", s->part,
                  (long long)record->row, (long long)rows.first, (long long)rows.end - 1);
}

/* Are so many rows there as places for them? */
static enum status check_rows(const struct state *s, struct source source, struct range rows)
{
    if (source.rows == rows.end - rows.first)
        return OK;
    return refuse(E_FORMAT, "the files on the way in %s are damaged: they have %lld rows for the "
                  "%lld places from %lld on; remove the folder and run the same command again",
                  s->part, (long long)source.rows, (long long)(rows.end - rows.first),
                  (long long)rows.first);
}

/* --- a window ---------------------------------------------------------------------------- */

/* Put a row into its place.  `to` is the state. */
static void take(void *to, const struct record *record)
{
    struct state *s = to;
    const struct seat seat = passes_seat(&s->passes, &s->room, s->window, record->row);

    memcpy(s->buffers.values + seat.slot * s->room.row_bytes, record->values,
           (size_t)s->room.row_bytes);
    s->buffers.origins[seat.slot] = record->origin;
}

/* Read the next batch and find out who holds its places.  Local. */
static enum status next_batch(struct state *s, struct source source, struct range *left,
                              int64_t *count)
{
    enum status st;

    TRY(read_records(s, source, s->buffers.batch, count, s->room.batch, left));
    for (int64_t i = 0; i < *count; i++) {
        const struct record *record = record_at(s->buffers.batch, s->room.record_bytes, i);

        TRY(check_row(s, record, s->window));
        s->buffers.owners[i] = passes_seat(&s->passes, &s->room, s->window, record->row).rank;
    }
done:
    return st;
}

/* All rows of a window into the memory of the ranks that will write them.  Collective. */
static enum status fill_window(struct state *s, struct source source, const char *step)
{
    struct run *run = s->run;
    struct range left = split_range(source.rows, run->rank, run->size);
    const int64_t done = s->done;
    int64_t count, waiting;
    enum status st;

    TRY(check_rows(s, source, s->window));
    do {
        TRY_ALL(run->comm, next_batch(s, source, &left, &count));
        phase_enter(PHASE_EXCHANGE);
        exchange_records(&s->exchange, s->buffers.batch, s->buffers.owners, count, take, s);
        waiting = left.end - left.first;
        MPI_Allreduce(MPI_IN_PLACE, &waiting, 1, MPI_INT64_T, MPI_SUM, run->comm);
        phase_enter(PHASE_COMPUTE);
        s->done = done + source.rows - waiting;
        tell_progress(s, step);
        TRY(stop_if_asked(run));
    } while (waiting > 0);
done:
    return st;
}

/* The window's part of a shard.  A shard is created by its first window and published by
 * its last.  Collective. */
static enum status write_part(struct state *s, int64_t shard)
{
    const struct range rows = split_block(s->passes.rows, s->passes.shard, shard);
    const struct range part = {
        rows.first > s->window.first ? rows.first : s->window.first,
        rows.end < s->window.end ? rows.end : s->window.end,
    };
    char path[PATH_LENGTH], draft[PATH_LENGTH];
    enum status st = OK;

    reorder_path(path, s->part, shard);
    path_print(draft, "%s.part", path);
    if (part.first == rows.first)
        TRY(activation_create(&s->writer, s->run->comm, draft, s->job->input->stream,
                              rows.end - rows.first, s->job->suite));
    for (int64_t call = 0; call < passes_calls(&s->room, part); call++) {
        const struct range mine = passes_stretch(&s->room, part, call, s->run->rank);
        const int64_t slot = mine.first == mine.end ? 0
                             : passes_seat(&s->passes, &s->room, s->window, mine.first).slot;

        TRY(activation_write(&s->writer, (struct range){ mine.first - rows.first,
                                                         mine.end - rows.first },
                             s->buffers.values + slot * s->room.row_bytes,
                             s->buffers.origins + slot));
    }
    if (part.end == rows.end) {
        TRY(activation_close(&s->writer, OK));
        TRY_ALL(s->run->comm, s->run->rank == 0 ? file_publish(path) : OK);
        s->complete[shard] = true;
    }
done:
    return st;
}

static bool windows_complete(const struct state *s, struct range windows)
{
    const struct range rows = rows_of(s, windows);

    for (int64_t shard = rows.first / s->passes.shard; shard * s->passes.shard < rows.end; shard++)
        if (!s->complete[shard])
            return false;
    return true;
}

/* Order one window and write it.  Collective. */
static enum status order_window(struct state *s, struct source source, int64_t window)
{
    char step[64];
    enum status st;

    s->window = passes_range(&s->passes, window);
    snprintf(step, sizeof step, "window %lld of %lld", (long long)window + 1,
             (long long)s->passes.windows);
    TRY(fill_window(s, source, step));
    phase_enter(PHASE_WRITE);
    for (int64_t shard = s->window.first / s->passes.shard;
         shard * s->passes.shard < s->window.end; shard++) {
        if (!s->complete[shard])
            TRY(write_part(s, shard));
        TRY(stop_if_asked(s->run));
    }
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* --- dealing ----------------------------------------------------------------------------- */

/* Some windows to be dealt to groups of `each`, through files in a folder. */
struct dealing {
    char         folder[PATH_LENGTH];
    struct range windows;
    int64_t      each, groups, units;
};

static struct dealing dealing_of(const struct state *s, struct source source,
                                 struct range windows)
{
    struct dealing dealing = { .windows = windows, .each = 1 };
    const int64_t count = windows.end - windows.first;

    while (dealing.each * s->passes.fanout < count)
        dealing.each *= s->passes.fanout;
    dealing.groups = split_blocks(count, dealing.each);
    dealing.units = split_blocks(source.rows, s->passes.unit);
    path_print(dealing.folder, "%s/dealt-%lld-%lld", s->part, (long long)windows.first,
               (long long)windows.end);
    return dealing;
}

/* Read one unit, sort it by group, write its file.  Local. */
static enum status deal_unit(struct state *s, struct source source,
                             const struct dealing *dealing, int64_t unit)
{
    const struct range rows = rows_of(s, dealing->windows);
    struct range left = split_block(source.rows, s->passes.unit, unit);
    char path[PATH_LENGTH];
    int64_t count;
    enum status st;

    TRY(read_records(s, source, s->buffers.unit, &count, left.end - left.first, &left));
    for (int64_t i = 0; i < count; i++) {
        const struct record *record = record_at(s->buffers.unit, s->room.record_bytes, i);

        TRY(check_row(s, record, rows));
        s->buffers.groups[i] = (int32_t)((passes_window(&s->passes, record->row)
                                          - dealing->windows.first) / dealing->each);
    }
    phase_enter(PHASE_WRITE);
    dealt_path(path, dealing->folder, unit);
    TRY(dealt_write(path, s->buffers.unit, s->room.record_bytes, count, s->buffers.groups,
                    (int32_t)dealing->groups, s->buffers.sorted));
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* The units whose files are not there yet, as rank 0 sees it.  Caller frees.  Collective. */
static int64_t *list_missing(const struct state *s, const struct dealing *dealing, int64_t *count)
{
    int64_t *missing = allocate(dealing->units, sizeof *missing);
    char path[PATH_LENGTH];

    *count = 0;
    for (int64_t unit = 0; s->run->rank == 0 && unit < dealing->units; unit++) {
        dealt_path(path, dealing->folder, unit);
        if (!file_exists(path))
            missing[(*count)++] = unit;
    }
    MPI_Bcast(count, 1, MPI_INT64_T, 0, s->run->comm);
    MPI_Bcast(missing, mpi_count(*count), MPI_INT64_T, 0, s->run->comm);
    return missing;
}

/* Deal the rows of a source, each rank its own units.  Collective. */
static enum status deal(struct state *s, struct source source, const struct dealing *dealing)
{
    struct run *run = s->run;
    const int64_t done = s->done;
    int64_t count, *missing = list_missing(s, dealing, &count);
    enum status st;

    TRY(check_rows(s, source, rows_of(s, dealing->windows)));
    s->skipped += (dealing->units - count) * s->passes.unit;
    TRY_ALL(run->comm, run->rank == 0 ? folder_make(dealing->folder) : OK);
    for (int64_t i = 0; i < count; i += run->size) {
        TRY_ALL(run->comm, i + run->rank < count
                           ? deal_unit(s, source, dealing, missing[i + run->rank]) : OK);
        s->done += run->size * s->passes.unit;
        tell_progress(s, "dealing");
        TRY(stop_if_asked(run));
    }
done:
    s->done = done + source.rows;
    free(missing);
    return st;
}

/* --- all windows ------------------------------------------------------------------------- */

/* Order some windows, whose rows are those of the source: at once if it is one window,
 * else by dealing them to groups, and so on with each group.  Collective. */
static enum status order_windows(struct state *s, struct source source, struct range windows)
{
    const int64_t count = windows.end - windows.first;
    struct dealing dealing = {0};
    struct dealt dealt = {0};
    enum status st = OK;

    if (count > 1)
        dealing = dealing_of(s, source, windows);
    if (windows_complete(s, windows)) {
        s->skipped += source.rows;
        s->done += source.rows;
    } else if (count == 1) {
        TRY(order_window(s, source, windows.first));
    } else {
        TRY(deal(s, source, &dealing));
    }
    for (int64_t group = 0; group < dealing.groups && !windows_complete(s, windows); group++) {
        const struct range each = split_block(count, dealing.each, group);

        TRY(dealt_open(&dealt, s->run->comm, dealing.folder, dealing.units, s->room.record_bytes,
                       (int32_t)group, (int32_t)dealing.groups));
        TRY(order_windows(s, (struct source){ &dealt, dealt.before[dealing.units] },
                          (struct range){ windows.first + each.first,
                                          windows.first + each.end }));
        dealt_close(&dealt);
    }
    if (count > 1)      /* what they fed is complete */
        TRY_ALL(s->run->comm, s->run->rank == 0 ? file_remove(dealing.folder) : OK);
done:
    dealt_close(&dealt);
    return st;
}

/* --- beginning and going on -------------------------------------------------------------- */

/* Go on with the files of an earlier run, by its plan, if they are of use and its windows
 * and units fit into this run's memory; else begin with an empty folder.  Collective. */
static enum status make_plan(struct state *s)
{
    const struct activations *input = s->job->input;
    struct plan plan = {
        .hash = (int64_t)input->statistics.hash, .width = input->stream.width,
        .store = (int64_t)input->stream.store, .seed = (int64_t)s->job->order.seed,
        .bucket = s->job->order.bucket,
    }, earlier = {0};
    char path[PATH_LENGTH];
    enum status st;

    TRY_ALL(s->run->comm, room_make(&s->room, s->job->memory, s->run->size,
                                    plan.width * store_bytes(input->stream.store)));
    passes_make(&plan.passes, input->statistics.rows, s->job->shard, &s->room);
    path_print(path, "%s/plan.h5", s->part);
    if (s->run->rank == 0)
        earlier = plan_read(path);
    MPI_Bcast(&earlier, PLAN_NUMBERS, MPI_INT64_T, 0, s->run->comm);

    if (plan_goes_on(&plan, &earlier) && passes_fit(&earlier.passes, &s->room)) {
        s->passes = earlier.passes;
    } else {
        s->passes = plan.passes;
        passes_fit(&s->passes, &s->room);
        if (s->run->rank == 0) {
            st = file_remove(s->part);
            st = st == OK ? folder_make(s->part) : st;
            st = st == OK ? plan_write(path, &plan) : st;
        } else {
            st = OK;
        }
        TRY(agree(s->run->comm, st));
    }
done:
    return st;
}

/* Tell what will be done, and refuse if the disk has no room for it.  On rank 0. */
static enum status announce(struct state *s)
{
    const struct activations *input = s->job->input;
    const struct passes *p = &s->passes;
    int64_t shards_bytes = 0, size, there;
    enum status st;
    char name[32];

    for (int shard = 0; shard < input->shards.count; shard++) {
        TRY(file_size(input->shards.paths[shard], &size));
        shards_bytes += size;           /* the same rows take about as much again */
    }
    TRY(folder_size(s->part, &there));
    const int64_t bytes = shards_bytes + passes_bytes(p, &s->room);
    run_note(s->run, "%s: %lld rows of %s in %lld pass%s: %lld window%s, fan-out %lld; %s of disk "
             "at most, %s of it taken", tap_name(name, input->stream.tap), (long long)p->rows,
             bytes_text((double)s->room.row_bytes), (long long)p->dealings + 1,
             p->dealings == 0 ? "" : "es", (long long)p->windows, p->windows == 1 ? "" : "s",
             (long long)p->fanout, bytes_text((double)bytes), bytes_text((double)there));
    TRY(disk_check(s->part, bytes > there ? bytes - there : 0, "shuffle"));
done:
    return st;
}

/* Which output shards are there already, as rank 0 sees it.  Collective. */
static void find_complete(struct state *s)
{
    char path[PATH_LENGTH];

    s->shards = split_blocks(s->passes.rows, s->passes.shard);
    s->complete = allocate(s->shards, 1);
    for (int64_t shard = 0; s->run->rank == 0 && shard < s->shards; shard++) {
        reorder_path(path, s->part, shard);
        s->complete[shard] = file_exists(path);
    }
    MPI_Bcast(s->complete, mpi_count(s->shards), MPI_CHAR, 0, s->run->comm);
}

/* Has the output the rows of the input, each once?  On rank 0. */
static enum status check_output(const struct state *s)
{
    const struct row_statistics *in = &s->job->input->statistics;
    char (*paths)[PATH_LENGTH] = allocate(s->shards, sizeof *paths);
    struct activations output = {0};
    enum status st;

    for (int64_t shard = 0; shard < s->shards; shard++)
        reorder_path(paths[shard], s->part, shard);
    TRY(activations_open(&output, paths, (int)s->shards));
    if (output.statistics.rows != in->rows || output.statistics.hash != in->hash)
        st = refuse(E_NUMERIC, "the shuffled rows in %s are not those that were harvested (%lld "
                    "rows of hash %016llx, not %lld of %016llx); memory or disk may be faulty; "
                    "remove the folder and run the same command again", s->part,
                    (long long)output.statistics.rows, (unsigned long long)output.statistics.hash,
                    (long long)in->rows, (unsigned long long)in->hash);
done:
    activations_close(&output);
    free(paths);
    return st;
}

/* On rank 0. */
static enum status publish(const struct state *s)
{
    char plan[PATH_LENGTH];
    enum status st;

    TRY(check_output(s));
    path_print(plan, "%s/plan.h5", s->part);
    TRY(file_remove(plan));
    TRY(file_publish(s->job->folder));
done:
    return st;
}

enum status reorder_stream(const struct reorder *job, struct run *run)
{
    struct state *s = allocate(1, sizeof *s);
    enum status st;

    s->job = job;
    s->run = run;
    s->since = MPI_Wtime();
    path_print(s->part, "%s.part", job->folder);
    TRY(make_plan(s));
    TRY_ALL(run->comm, run->rank == 0 ? announce(s) : OK);
    TRY(buffers_make(&s->buffers, &s->room, run->comm));
    exchange_start(&s->exchange, run->comm, s->room.record_bytes, s->room.pair,
                   s->buffers.send, s->buffers.receive);
    find_complete(s);
    TRY(order_windows(s, (struct source){ NULL, s->passes.rows },
                      (struct range){ 0, s->passes.windows }));
    TRY_ALL(run->comm, run->rank == 0 ? publish(s) : OK);
done:
    st = activation_close(&s->writer, st);
    exchange_finish(&s->exchange);
    free(s->complete);
    buffers_free(&s->buffers);
    free(s);
    return st;
}
