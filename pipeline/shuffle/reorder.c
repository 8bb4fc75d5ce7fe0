#include "shuffle/reorder.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/human.h"
#include "shard/store.h"
#include "shuffle/partition.h"
#include "shuffle/unfinished.h"
#include "shuffle/window.h"

#include <stdio.h>
#include <stdlib.h>

/* Output rows of some windows. */
static struct range rows_of(const struct shuffling *s, struct range windows)
{
    return (struct range){ shuffle_plan_range(&s->passes, windows.first).first,
                           shuffle_plan_range(&s->passes, windows.end - 1).end };
}

static bool windows_complete(const struct shuffling *s, struct range windows)
{
    const struct range rows = rows_of(s, windows);

    for (int64_t shard = rows.first / s->passes.shard; shard * s->passes.shard < rows.end; shard++)
        if (!s->complete[shard])
            return false;
    return true;
}

/* --- windows ----------------------------------------------------------------------------- */

/* The rows of some windows: group number `group` of a dealing or, with none, those rows of the
 * input whose buckets the windows have a part of.  Collective over comm. */
static enum status open_source(struct shuffling *s, MPI_Comm comm, struct source *source,
                               struct spill *dealt, const struct partition *from, int64_t group,
                               struct range windows)
{
    const struct order *order = &s->job->order;
    const struct range wanted = rows_of(s, windows);
    const int64_t end = split_blocks(wanted.end, order->bucket) * order->bucket;
    enum status st;

    *source = (struct source){ .input = s->job->input, .order = order,
                               .places = s->buffers.places, .wanted = wanted,
                               .rows = { wanted.first / order->bucket * order->bucket,
                                         end < order->rows ? end : order->rows } };
    if (from == NULL)
        return OK;
    activations_rest(s->job->input);
    TRY(spill_open(dealt, comm, from->folder, from->units, &s->form, (int32_t)group,
                   (int32_t)from->groups));
    source->dealt = dealt;
    source->rows = (struct range){ 0, spill_rows(dealt) };
    if (source->rows.end != range_length(wanted))
        st = refuse(E_FORMAT, "the files in %s are damaged: they have %lld rows for the %lld places "
                    "from %lld on; remove the folder and run the same command again",
                    from->folder, (long long)source->rows.end,
                    (long long)range_length(wanted), (long long)wanted.first);
done:
    return st;
}

/* Order windows that all ranks hold together, unless their shards are complete: one, or at once
 * the own ones of all.  Collective. */
static enum status order_together(struct shuffling *s, const struct partition *from, int64_t group,
                                  struct range windows)
{
    const struct range rows = rows_of(s, windows);
    struct source source;
    struct spill dealt = {0};
    enum status st = OK;

    if (windows_complete(s, windows)) {
        s->skipped += range_length(rows);
    } else {
        TRY(open_source(s, s->run->comm, &source, &dealt, from, group, windows));
        TRY(window_exchange(s, &source, windows.first));
    }
    s->done += range_length(rows);
done:
    spill_close(&dealt);
    return st;
}

/* Order a window of this rank's own, unless its shards are complete.  Local. */
static enum status order_own(struct shuffling *s, const struct partition *from, int64_t window)
{
    const struct range windows = { window, window + 1 }, rows = rows_of(s, windows);
    const int64_t group = from != NULL ? (window - from->windows.first) / from->each : 0;
    const int64_t all = range_length(rows) * s->run->size;     /* other ranks do as much */
    struct source source;
    struct spill dealt = {0};
    enum status st = OK;

    if (windows_complete(s, windows)) {
        s->skipped += all;
    } else {
        TRY(open_source(s, MPI_COMM_SELF, &source, &dealt, from, group, windows));
        TRY(window_gather(s, &source, window));
    }
    s->done += all;
done:
    spill_close(&dealt);
    return st;
}

/* Order some windows, each rank its own: groups of a dealing or, with none, rows of the input.
 * Ranks agree after each, so that none goes on for long when another one has failed.
 * Collective. */
static enum status order_apart(struct shuffling *s, const struct partition *from,
                               struct range windows)
{
    const int64_t each = shuffle_plan_each(&s->passes), turn = each * s->run->size;
    const struct range rows = rows_of(s, windows);
    const int64_t done = s->done;
    char step[64];
    enum status st = OK;

    for (int64_t first = windows.first / turn * turn; first < windows.end; first += turn)
        for (int64_t i = 0; i < each; i++) {
            const int64_t window = first + s->run->rank * each + i;
            const bool mine = windows.first <= window && window < windows.end;

            st = mine ? order_own(s, from, window) : run_stopping_here() ? shuffling_stopped() : OK;
            phase_enter(PHASE_NONE);
            comm_meet(s->run->comm);
            phase_enter(PHASE_COMPUTE);
            TRY_ALL(s->run->comm, st);
            snprintf(step, sizeof step, "windows of %lld", (long long)s->passes.windows);
            shuffling_tell(s, step);
        }
    s->done = done + range_length(rows);
done:
    return st;
}

/* --- dealings ---------------------------------------------------------------------------- */

static struct partition dealing_of(const struct shuffling *s, struct range windows)
{
    const struct range rows = rows_of(s, windows);
    struct partition dealing = { .windows = windows, .each = 1 };
    const int64_t count = range_length(windows);

    while (dealing.each * s->passes.fanout < count)
        dealing.each *= s->passes.fanout;
    dealing.groups = split_blocks(count, dealing.each);
    dealing.units = split_blocks(range_length(rows), s->passes.unit);
    path_print(dealing.folder, "%s/dealt-%lld-%lld", s->part, (long long)windows.first,
               (long long)windows.end);
    return dealing;
}

/* The windows of a group. */
static struct range windows_of(const struct partition *dealing, int64_t group)
{
    const int64_t first = dealing->windows.first;
    const struct range part = split_block(dealing->windows.end - first, dealing->each, group);

    return (struct range){ first + part.first, first + part.end };
}

/* Are all rows of these windows in shards, or dealt to them?  What was dealt to groups may be
 * gone once the last group was dealt again.  On rank 0. */
static bool at_hand(const struct shuffling *s, struct range windows)
{
    bool dealt = true;

    if (windows_complete(s, windows))
        return true;
    if (range_length(windows) == 1)
        return false;
    const struct partition dealing = dealing_of(s, windows);
    const struct range last = windows_of(&dealing, dealing.groups - 1);
    for (int64_t unit = 0; unit < dealing.units && dealt; unit++) {
        char path[PATH_LENGTH];

        spill_path(path, dealing.folder, unit);
        dealt = file_exists(path);
    }
    return dealt || (windows_complete(s, (struct range){ windows.first, last.first })
                     && at_hand(s, last));
}

/* Deal the rows of a dealing's windows, unless that was done.  Collective. */
static enum status deal(struct shuffling *s, const struct partition *from, int64_t group,
                        const struct partition *dealing)
{
    const struct range rows = rows_of(s, dealing->windows);
    int done = s->run->rank == 0 && at_hand(s, dealing->windows);
    struct source source;
    struct spill dealt = {0};
    enum status st = OK;

    MPI_Bcast(&done, 1, MPI_INT, 0, s->run->comm);
    if (done) {
        s->skipped += range_length(rows);
        s->done += range_length(rows);
    } else {
        TRY(open_source(s, s->run->comm, &source, &dealt, from, group, dealing->windows));
        TRY(partition_run(s, &source, dealing));
    }
done:
    spill_close(&dealt);
    return st;
}

static enum status remove_folder(struct shuffling *s, const char *folder)
{
    return agree(s->run->comm, s->run->rank == 0 ? file_remove(folder) : OK);
}

/* Wait until all is written that was dealt, and remove it.  Collective. */
static enum status end_dealing(struct shuffling *s, const struct partition *dealing)
{
    enum status st;

    TRY_ALL(s->run->comm, shuffling_settle(s));
    TRY(remove_folder(s, dealing->folder));
done:
    return st;
}

/* Order some windows, which are group number `group` of a dealing or (NULL) all there are: deal
 * them to smaller groups, and so on with each of these, until they are single windows.
 * Collective. */
static enum status order_windows(struct shuffling *s, const struct partition *from, int64_t group,
                                 struct range windows)
{
    const bool apart = s->passes.way == SHUFFLE_APART;
    enum status st;

    if (range_length(windows) == 1)
        return apart ? order_apart(s, from, windows) : order_together(s, from, group, windows);
    const struct partition dealing = dealing_of(s, windows);
    TRY(deal(s, from, group, &dealing));
    if (from != NULL && group == from->groups - 1)      /* what it fed is dealt again */
        TRY(remove_folder(s, from->folder));
    if (apart && dealing.each == 1)
        TRY(order_apart(s, &dealing, windows));
    else
        for (int64_t g = 0; g < dealing.groups; g++)
            TRY(order_windows(s, &dealing, g, windows_of(&dealing, g)));
    TRY(end_dealing(s, &dealing));
done:
    return st;
}

/* All windows.  Collective. */
static enum status order_all(struct shuffling *s)
{
    const struct range all = { 0, s->passes.windows };
    enum status st = OK;

    if (s->passes.dealings > 0)
        return order_windows(s, NULL, 0, all);
    if (s->passes.way == SHUFFLE_APART)
        TRY(order_apart(s, NULL, all));
    else if (s->passes.way == SHUFFLE_AT_ONCE)
        TRY(order_together(s, NULL, 0, all));
    else
        for (int64_t window = 0; window < all.end; window++)
            TRY(order_together(s, NULL, 0, (struct range){ window, window + 1 }));
    TRY_ALL(s->run->comm, shuffling_settle(s));
done:
    return st;
}

/* --- beginning and going on -------------------------------------------------------------- */

/* Make or take over the room and the passes.  Collective. */
static enum status divide_memory(struct shuffling *s, struct unfinished *plan)
{
    const struct activations *input = s->job->input;
    const int64_t rows = input->statistics.rows;
    struct shuffle_memory_rows about = {
        .bytes = stream_row_bytes(input->stream), .value = store_bytes(input->stream.store),
        .out = shuffle_plan_chunk(rows, s->job->shard),
    };
    enum status st;

    for (int shard = 0; shard < input->shards.count; shard++) {
        const int64_t chunk = shuffle_plan_chunk(input->before[shard + 1] - input->before[shard],
                                           CHUNK_ROWS);
        about.in = chunk > about.in ? chunk : about.in;
    }
    TRY_ALL(s->run->comm, shuffle_memory_make(&s->room, s->job->memory, s->run->size, &about));
    shuffle_plan_make(&plan->passes, rows, s->job->shard, s->job->order.bucket, &s->room);
    s->form = (struct spill_form){ s->room.record_bytes, about.value, about.in };
done:
    return st;
}

/* Go on with the files of an earlier run, by its plan, if they are of use and its windows
 * and units fit into this run's memory; else begin with an empty folder.  Collective. */
static enum status make_plan(struct shuffling *s)
{
    const struct activations *input = s->job->input;
    struct unfinished plan = {
        .hash = (int64_t)input->statistics.hash, .width = input->stream.width,
        .store = (int64_t)input->stream.store, .seed = (int64_t)s->job->order.seed,
        .bucket = s->job->order.bucket,
    }, earlier = {0};
    char path[PATH_LENGTH];
    enum status st;

    TRY(divide_memory(s, &plan));
    path_print(path, "%s/plan.h5", s->part);
    if (s->run->rank == 0)
        earlier = unfinished_read(path);
    MPI_Bcast(&earlier, UNFINISHED_NUMBERS, MPI_INT64_T, 0, s->run->comm);

    if (unfinished_goes_on(&plan, &earlier) && shuffle_plan_fit(&earlier.passes, &s->room)) {
        s->passes = earlier.passes;
    } else {
        s->passes = plan.passes;
        shuffle_plan_fit(&s->passes, &s->room);
        if (s->run->rank == 0) {
            st = file_remove(s->part);
            st = st == OK ? file_make_folder(s->part) : st;
            st = st == OK ? unfinished_write(path, &plan) : st;
        } else {
            st = OK;
        }
        TRY(agree(s->run->comm, st));
    }
done:
    return st;
}

/* What a file takes besides its rows, at most: headers, tables, a part of a block. */
enum { FILE_BYTES = 16 << 10 };

/* What shards that are being written take beyond what they will: room for rows that do not
 * compress. */
static int64_t reserved_bytes(const struct shuffling *s, int64_t shards_bytes)
{
    const struct shuffle_plan *p = &s->passes;
    const int64_t rows = p->rows < p->shard ? p->rows : p->shard;
    const int64_t most = activation_writer_bytes(rows, s->job->input->stream);
    const int64_t will = (int64_t)((double)shards_bytes / (double)p->rows * (double)rows);
    const int64_t shards = split_blocks(p->rows, p->shard), writers = s->room.ranks / s->room.team;

    return most > will ? (most - will) * (shards < writers ? shards : writers) : 0;
}

/* Tell what will be done, and refuse if the disk has no room for it.  On rank 0. */
static enum status announce(struct shuffling *s)
{
    const struct activations *input = s->job->input;
    const struct shuffle_plan *p = &s->passes;
    int64_t shards_bytes = 0, size, there;
    enum status st;
    char name[32];

    for (int shard = 0; shard < input->shards.count; shard++) {
        TRY(file_size(input->shards.paths[shard], &size));
        shards_bytes += size;
    }
    TRY(file_folder_size(s->part, &there));
    /* The same rows take about as much again, once as shards and once on their way, where place
     * and origin lie between the values and hardly compress; what was dealt twice is removed in
     * time.  Shards under way have room that they may not need. */
    const int64_t units = p->dealings > 0 ? split_blocks(p->rows, p->unit) : 0;
    const int64_t dealt = p->dealings > 0 ? shards_bytes + p->rows * record_bytes(0) : 0;
    const int64_t bytes = shards_bytes + dealt + reserved_bytes(s, shards_bytes)
                          + (split_blocks(p->rows, p->shard) + units) * FILE_BYTES;
    run_note(s->run, "%s: %lld rows of %s in %lld pass%s: %lld window%s, fan-out %lld; %s of disk "
             "at most, %s of it taken", site_tap_name(name, input->stream.tap), (long long)p->rows,
             human_bytes((double)s->room.rows.bytes), (long long)p->dealings + 1,
             p->dealings == 0 ? "" : "es", (long long)p->windows, p->windows == 1 ? "" : "s",
             (long long)p->fanout, human_bytes((double)bytes), human_bytes((double)there));
    TRY(file_check_disk(s->part, bytes > there ? bytes - there : 0, "shuffle"));
done:
    return st;
}

/* Which output shards are there already, as rank 0 sees it.  Collective. */
static void find_complete(struct shuffling *s)
{
    char path[PATH_LENGTH];

    s->shards = split_blocks(s->passes.rows, s->passes.shard);
    s->complete = allocate(s->shards, 1);
    for (int64_t shard = 0; s->run->rank == 0 && shard < s->shards; shard++) {
        shards_numbered(path, s->part, shard);
        s->complete[shard] = file_exists(path);
    }
    MPI_Bcast(s->complete, comm_count(s->shards), MPI_CHAR, 0, s->run->comm);
}

/* --- the end ----------------------------------------------------------------------------- */

/* On rank 0. */
static enum status publish(const struct shuffling *s)
{
    struct activations output = {0};
    char plan[PATH_LENGTH];
    enum status st;

    TRY(activations_open_folder(&output, s->part));     /* the input's rows, each once? */
    path_print(plan, "%s/plan.h5", s->part);
    TRY(file_remove(plan));
    TRY(file_publish(s->job->folder));
done:
    activations_close(&output);
    return st;
}

/* --- all --------------------------------------------------------------------------------- */

enum status reorder_stream(const struct reorder *job, struct run *run)
{
    struct shuffling *s = allocate(1, sizeof *s);
    enum status st;

    s->job = job;
    s->run = run;
    s->writing = MPI_COMM_NULL;
    s->since = MPI_Wtime();
    path_print(s->part, "%s.part", job->folder);
    TRY(make_plan(s));
    MPI_Comm_dup(s->room.team == 1 ? MPI_COMM_SELF : run->comm, &s->writing);
    MPI_Comm_rank(s->writing, &s->place);
    TRY_ALL(run->comm, run->rank == 0 ? announce(s) : OK);
    TRY(shuffling_allocate(s));
    exchange_start(&s->exchange, run->comm, s->room.record_bytes, s->room.pair,
                   s->buffers.send, s->buffers.receive);
    worker_start(&s->reader);
    worker_start(&s->writer);
    worker_start(&s->publisher);
    find_complete(s);
    TRY(order_all(s));
    TRY_ALL(run->comm, run->rank == 0 ? publish(s) : OK);
done:
    worker_stop(&s->reader);
    worker_stop(&s->writer);
    worker_stop(&s->publisher);
    st = activation_writer_close(&s->shard, st);
    exchange_finish(&s->exchange);
    if (s->writing != MPI_COMM_NULL)
        MPI_Comm_free(&s->writing);
    free(s->complete);
    free(s);
    return st;
}
