#include "shuffle/reorder.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/human.h"
#include "base/minmax.h"
#include "base/walk.h"
#include "shard/store.h"
#include "shuffle/partition.h"
#include "shuffle/plan_file.h"
#include "shuffle/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The output rows of some windows. */
static struct range output_rows(const struct shuffle_state *s, struct range windows)
{
    return (struct range){ shuffle_plan_range(&s->plan, windows.first).first,
                           shuffle_plan_range(&s->plan, windows.end - 1).end };
}

static bool windows_complete(const struct shuffle_state *s, struct range windows)
{
    const struct range rows = output_rows(s, windows);

    for (int64_t shard = rows.first / s->plan.shard; shard * s->plan.shard < rows.end; shard++)
        if (!s->complete[shard])
            return false;
    return true;
}

/* --- windows ----------------------------------------------------------------------------- */

/* Open the source of some windows: group number `group` of partition `from`; or, if that is NULL,
 * the rows of the input in the buckets that the windows overlap.  Collective over comm. */
static enum status open_source(struct shuffle_state *s, MPI_Comm comm, struct row_source *source,
                               struct spill *spill, const struct partition *from, int64_t group,
                               struct range windows)
{
    const struct order *order = &s->job->order;
    const struct range wanted = output_rows(s, windows);
    const int64_t end = split_blocks(wanted.end, order->bucket) * order->bucket;
    enum status st;

    *source = (struct row_source){ .input = s->job->input, .order = order,
                                   .places = s->buffers.places, .wanted = wanted,
                                   .rows = { wanted.first / order->bucket * order->bucket,
                                             min_int64(end, order->rows) } };
    if (from == NULL)
        return OK;
    activations_rest(s->job->input);
    TRY(spill_open(spill, comm, from->folder, from->runs, &s->form, (int32_t)group,
                   (int32_t)from->groups));
    source->spill = spill;
    source->rows = (struct range){ 0, spill_rows(spill) };
    REQUIRE(source->rows.end == range_length(wanted), E_FORMAT, "the files in %s are damaged: they "
            "have %lld rows for the %lld places from %lld on; remove the folder and run the same "
            "command again", from->folder, (long long)source->rows.end,
            (long long)range_length(wanted), (long long)wanted.first);
done:
    return st;
}

/* Fill and write a window that all ranks share, or one window of each rank at the same time,
 * unless their shards are complete.  Collective. */
static enum status make_shared(struct shuffle_state *s, const struct partition *from,
                               int64_t group, struct range windows)
{
    const struct range rows = output_rows(s, windows);
    struct row_source source;
    struct spill spill = {0};
    enum status st = OK;

    if (windows_complete(s, windows)) {
        s->skipped += range_length(rows);
    } else {
        TRY(open_source(s, s->run->comm, &source, &spill, from, group, windows));
        TRY(window_exchange(s, &source, windows.first));
    }
    s->done += range_length(rows);
done:
    spill_close(&spill);
    return st;
}

/* Fill and write a window of this rank's own, unless its shards are complete.  Local. */
static enum status make_own(struct shuffle_state *s, const struct partition *from, int64_t window)
{
    const struct range windows = { window, window + 1 }, rows = output_rows(s, windows);
    const int64_t group = from != NULL ? (window - from->windows.first) / from->group_windows : 0;
    const int64_t all = range_length(rows) * s->run->size;     /* other ranks do as much */
    struct row_source source;
    struct spill spill = {0};
    enum status st = OK;

    if (windows_complete(s, windows)) {
        s->skipped += all;
    } else {
        TRY(open_source(s, MPI_COMM_SELF, &source, &spill, from, group, windows));
        TRY(window_gather(s, &source, window));
    }
    s->done += all;
done:
    spill_close(&spill);
    return st;
}

/* Fill and write some windows, each rank its own, from the groups of partition `from` or, if that
 * is NULL, from the input.  Ranks agree after each window, so that none works on for long when
 * another one has failed.  Collective. */
static enum status make_all_own(struct shuffle_state *s, const struct partition *from,
                                struct range windows)
{
    const int64_t each = shuffle_plan_period_windows(&s->plan), round = each * s->run->size;
    const struct range rows = output_rows(s, windows);
    const int64_t done = s->done;
    char step[64];
    enum status st = OK;

    for (int64_t first = windows.first / round * round; first < windows.end; first += round)
        for (int64_t i = 0; i < each; i++) {
            const int64_t window = first + s->run->rank * each + i;
            const bool mine = windows.first <= window && window < windows.end;

            if (mine)
                st = make_own(s, from, window);
            else
                st = run_stopping_here() ? run_stopped() : OK;
            phase_enter(PHASE_NONE);
            comm_meet(s->run->comm);
            phase_enter(PHASE_COMPUTE);
            TRY_ALL(s->run->comm, st);
            snprintf(step, sizeof step, "windows of %lld", (long long)s->plan.windows);
            shuffle_state_tell(s, step);
        }
    s->done = done + range_length(rows);
done:
    return st;
}

/* --- partition passes -------------------------------------------------------------------- */

/* Plan the partition of some windows.  The groups are as small as the fan-out allows, so that the
 * last partition pass makes single windows. */
static struct partition partition_of(const struct shuffle_state *s, struct range windows)
{
    const struct range rows = output_rows(s, windows);
    struct partition partition = { .windows = windows, .group_windows = 1 };
    const int64_t count = range_length(windows);

    while (partition.group_windows * s->plan.fanout < count)
        partition.group_windows *= s->plan.fanout;
    partition.groups = split_blocks(count, partition.group_windows);
    partition.runs = split_blocks(range_length(rows), s->plan.run_rows);
    path_print(partition.folder, "%s/dealt-%lld-%lld", s->part, (long long)windows.first,
               (long long)windows.end);
    return partition;
}

static struct range windows_of_group(const struct partition *partition, int64_t group)
{
    const int64_t first = partition->windows.first;
    const struct range part = split_block(range_length(partition->windows),
                                          partition->group_windows, group);

    return (struct range){ first + part.first, first + part.end };
}

/* Are all rows of these windows in complete shards, or in spill files of these windows?  The
 * spill files are gone once the last group was partitioned again: then the shards of the other
 * groups are complete, and the rows of the last group are where this function looks next.  For
 * rank 0. */
static bool rows_available(const struct shuffle_state *s, struct range windows)
{
    bool spilled = true;

    if (windows_complete(s, windows))
        return true;
    if (range_length(windows) == 1)
        return false;
    const struct partition partition = partition_of(s, windows);
    const struct range last = windows_of_group(&partition, partition.groups - 1);
    for (int64_t run = 0; run < partition.runs && spilled; run++) {
        char path[PATH_LENGTH];

        spill_path(path, partition.folder, run);
        spilled = file_exists(path);
    }
    return spilled || (windows_complete(s, (struct range){ windows.first, last.first })
                       && rows_available(s, last));
}

/* Partition the rows of group number `group` of `from` (NULL: of the input), unless an earlier
 * run has done it.  Collective. */
static enum status partition_group(struct shuffle_state *s, const struct partition *from,
                                   int64_t group, const struct partition *partition)
{
    const struct range rows = output_rows(s, partition->windows);
    int done = s->run->rank == 0 && rows_available(s, partition->windows);
    struct row_source source;
    struct spill spill = {0};
    enum status st = OK;

    MPI_Bcast(&done, 1, MPI_INT, 0, s->run->comm);
    if (done) {
        s->skipped += range_length(rows);
        s->done += range_length(rows);
    } else {
        TRY(open_source(s, s->run->comm, &source, &spill, from, group, partition->windows));
        TRY(partition_run(s, &source, partition));
    }
done:
    spill_close(&spill);
    return st;
}

/* Wait until the shards that a partition feeds are written, then remove its spill files.
 * Collective. */
static enum status finish_partition(struct shuffle_state *s, const struct partition *partition)
{
    enum status st;

    TRY_ALL(s->run->comm, shuffle_state_settle(s));
    TRY_ROOT(s->run->comm, file_remove(partition->folder));
done:
    return st;
}

/* Fill and write some windows: those of group number `group` of partition `from`, or all there
 * are (NULL).  Several windows are partitioned into smaller groups first, and so on with each
 * group, down to single windows.  Collective. */
static enum status make_windows(struct shuffle_state *s, const struct partition *from,
                                int64_t group, struct range windows)
{
    const bool own = s->plan.placement == SHUFFLE_OWN;
    enum status st;

    if (range_length(windows) == 1)
        return own ? make_all_own(s, from, windows) : make_shared(s, from, group, windows);
    const struct partition partition = partition_of(s, windows);
    TRY(partition_group(s, from, group, &partition));
    if (from != NULL && group == from->groups - 1)      /* all groups of `from` have been read */
        TRY_ROOT(s->run->comm, file_remove(from->folder));
    if (own && partition.group_windows == 1)
        TRY(make_all_own(s, &partition, windows));
    else
        for (int64_t g = 0; g < partition.groups; g++)
            TRY(make_windows(s, &partition, g, windows_of_group(&partition, g)));
    TRY(finish_partition(s, &partition));
done:
    return st;
}

/* Fill and write all windows.  Collective. */
static enum status make_all(struct shuffle_state *s)
{
    const struct range all = { 0, s->plan.windows };
    enum status st = OK;

    if (s->plan.partitions > 0)
        return make_windows(s, NULL, 0, all);
    if (s->plan.placement == SHUFFLE_OWN)
        TRY(make_all_own(s, NULL, all));
    else if (s->plan.placement == SHUFFLE_OWN_ONE_PASS)
        TRY(make_shared(s, NULL, 0, all));
    else
        for (int64_t window = 0; window < all.end; window++)
            TRY(make_shared(s, NULL, 0, (struct range){ window, window + 1 }));
    TRY_ALL(s->run->comm, shuffle_state_settle(s));
done:
    return st;
}

/* --- starting and resuming --------------------------------------------------------------- */

/* Divide the memory and plan the passes, as if there were no earlier run.  Collective. */
static enum status make_plan(struct shuffle_state *s, struct shuffle_plan *plan)
{
    const struct activations *input = s->job->input;
    const int64_t rows = input->statistics.rows;
    struct shuffle_memory_rows about = {
        .bytes = stream_row_bytes(input->stream), .value = store_bytes(input->stream.store),
        .output_chunk = shuffle_plan_chunk(rows, s->job->shard),
    };
    enum status st;

    for (int shard = 0; shard < input->shards.count; shard++) {
        const int64_t length = input->before[shard + 1] - input->before[shard];
        about.input_chunk = max_int64(about.input_chunk, shuffle_plan_chunk(length, CHUNK_ROWS));
    }
    TRY_ALL(s->run->comm, shuffle_memory_make(&s->memory, s->job->memory, s->run->size, &about));
    shuffle_plan_make(plan, rows, s->job->shard, s->job->order.bucket, &s->memory);
    s->form = (struct spill_form){ s->memory.record_bytes, about.value, about.input_chunk };
done:
    return st;
}

/* Empty the folder and write the plan to it.  For rank 0. */
static enum status start_folder(const char *folder, const char *path,
                                const struct plan_file *content)
{
    enum status st;

    TRY(file_remove(folder));
    TRY(file_make_folder(folder));
    TRY(plan_file_write(path, content));
done:
    return st;
}

/* Follow the plan of an earlier run, whose files then count, if they are of use and the plan's
 * windows and runs fit into this run's memory.  Otherwise start with an empty folder.
 * Collective. */
static enum status choose_plan(struct shuffle_state *s)
{
    const struct activations *input = s->job->input;
    struct plan_file now = {
        .hash = (int64_t)input->statistics.hash, .width = input->stream.width,
        .store = (int64_t)input->stream.store, .seed = (int64_t)s->job->order.seed,
        .bucket = s->job->order.bucket,
    }, earlier = {0};
    char path[PATH_LENGTH];
    enum status st;

    TRY(make_plan(s, &now.plan));
    path_print(path, "%s/plan.h5", s->part);
    if (s->run->rank == 0)
        earlier = plan_file_read(path);
    MPI_Bcast(&earlier, PLAN_FILE_NUMBERS, MPI_INT64_T, 0, s->run->comm);

    if (plan_file_matches(&now, &earlier) && shuffle_plan_fit(&earlier.plan, &s->memory)) {
        s->plan = earlier.plan;
    } else {
        s->plan = now.plan;
        shuffle_plan_fit(&s->plan, &s->memory);
        TRY_ROOT(s->run->comm, start_folder(s->part, path, &now));
    }
done:
    return st;
}

/* Most bytes of a file in addition to its rows: headers, tables, a part of a block. */
enum { FILE_BYTES = 16 << 10 };

/* Bytes that shards take only while they are being written: space for rows that do not
 * compress. */
static int64_t reserved_bytes(const struct shuffle_state *s, int64_t shards_bytes)
{
    const struct shuffle_plan *p = &s->plan;
    const int64_t rows = min_int64(p->rows, p->shard);
    const int64_t during = activation_writer_bytes(rows, s->job->input->stream);
    const int64_t after = (int64_t)((double)shards_bytes / (double)p->rows * (double)rows);
    const int64_t shards = split_blocks(p->rows, p->shard);
    const int64_t writers = s->memory.ranks / s->memory.holders;

    return during > after ? (during - after) * min_int64(shards, writers) : 0;
}

/* Most bytes on disk at any time.  The output's shards take about what the input's do.  Spill
 * files take as much again, and the rows' places and origins, which lie between the values and
 * hardly compress.  Rows that are spilled twice take the space of shards that are yet to come. */
static int64_t disk_bytes(const struct shuffle_state *s, int64_t shards_bytes)
{
    const struct shuffle_plan *p = &s->plan;
    const int64_t runs = p->partitions > 0 ? split_blocks(p->rows, p->run_rows) : 0;
    const int64_t spilled = p->partitions > 0 ? shards_bytes + p->rows * record_bytes(0) : 0;

    return shards_bytes + spilled + reserved_bytes(s, shards_bytes)
           + (split_blocks(p->rows, p->shard) + runs) * FILE_BYTES;
}

/* Note what will be done, and refuse it if the disk has too little space.  For rank 0. */
static enum status announce(struct shuffle_state *s)
{
    const struct activations *input = s->job->input;
    const struct shuffle_plan *p = &s->plan;
    int64_t shards_bytes = 0, size, present;
    enum status st;
    char name[32];

    for (int shard = 0; shard < input->shards.count; shard++) {
        TRY(file_size(input->shards.paths[shard], &size));
        shards_bytes += size;
    }
    TRY(file_folder_size(s->part, &present));
    const int64_t bytes = disk_bytes(s, shards_bytes);
    run_note(s->run, "%s: %lld rows of %s in %lld pass%s: %lld window%s, fan-out %lld; %s of disk "
             "at most, %s of it taken", site_tap_name(name, input->stream.tap), (long long)p->rows,
             human_bytes((double)s->memory.rows.bytes), (long long)p->partitions + 1,
             p->partitions == 0 ? "" : "es", (long long)p->windows, p->windows == 1 ? "" : "s",
             (long long)p->fanout, human_bytes((double)bytes), human_bytes((double)present));
    TRY(file_check_disk(s->part, max_int64(bytes - present, 0), "shuffle"));
done:
    return st;
}

/* Find the output shards that an earlier run has completed, as rank 0 sees it.  Collective. */
static void find_complete(struct shuffle_state *s)
{
    char path[PATH_LENGTH];

    s->shards = split_blocks(s->plan.rows, s->plan.shard);
    s->complete = allocate(s->shards, 1);
    for (int64_t shard = 0; s->run->rank == 0 && shard < s->shards; shard++) {
        shards_numbered(path, s->part, shard);
        s->complete[shard] = file_exists(path);
    }
    MPI_Bcast(s->complete, comm_count(s->shards), MPI_CHAR, 0, s->run->comm);
}

/* --- the end ----------------------------------------------------------------------------- */

/* Remove the plan, and files that killed ranks left: while ranks open a shard together, Open MPI
 * puts files of its own next to it.  For rank 0. */
static enum status remove_all_but_shards(const char *folder)
{
    char path[PATH_LENGTH], shard[PATH_LENGTH];
    struct walk_names names;
    enum status st;

    TRY(walk_names(&names, folder));
    for (int64_t i = 0; i < names.count; i++) {
        path_print(path, "%s/%s", folder, names.name[i]);
        shards_numbered(shard, folder, strtoll(names.name[i], NULL, 10));
        if (strcmp(path, shard) != 0)
            TRY(file_remove(path));
    }
done:
    walk_names_free(&names);
    return st;
}

/* For rank 0. */
static enum status publish(const struct shuffle_state *s)
{
    struct activations output = {0};
    enum status st;

    /* Refuses shards that do not hold each row of the input once, or are another shuffle's. */
    TRY(activations_open_folder(&output, s->part, &s->job->identity));
    TRY(remove_all_but_shards(s->part));
    TRY(file_publish(s->job->folder));
done:
    activations_close(&output);
    return st;
}

/* --- all --------------------------------------------------------------------------------- */

enum status reorder_stream(const struct reorder *job, struct run *run)
{
    struct shuffle_state *s = allocate(1, sizeof *s);
    enum status st;

    s->job = job;
    s->run = run;
    s->holders = MPI_COMM_NULL;
    s->since = MPI_Wtime();
    path_print(s->part, "%s.part", job->folder);
    TRY(choose_plan(s));
    MPI_Comm_dup(s->memory.holders == 1 ? MPI_COMM_SELF : run->comm, &s->holders);
    MPI_Comm_rank(s->holders, &s->holder);
    TRY_ROOT(run->comm, announce(s));
    TRY(shuffle_state_allocate(s));
    exchange_start(&s->exchange, run->comm, s->memory.record_bytes, s->memory.per_pair,
                   s->buffers.send, s->buffers.receive);
    worker_start(&s->reader);
    worker_start(&s->writer);
    worker_start(&s->publisher);
    find_complete(s);
    TRY(make_all(s));
    TRY_ROOT(run->comm, publish(s));
done:
    worker_stop(&s->reader);
    worker_stop(&s->writer);
    worker_stop(&s->publisher);
    st = activation_writer_close(&s->shard, st);
    exchange_finish(&s->exchange);
    if (s->holders != MPI_COMM_NULL)
        MPI_Comm_free(&s->holders);
    free(s->complete);
    free(s);
    return st;
}
