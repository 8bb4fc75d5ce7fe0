#include "shuffle/window.h"
#include "base/agree.h"
#include "base/minmax.h"

#include <stdio.h>
#include <string.h>

/* --- filling --------------------------------------------------------------------------- */

/* The reader's next task. */
struct read_job {
    struct shuffle_state *s;
    struct row_source    *source;
    struct range          left;     /* of the source, for this rank */
    struct batch         *batch;
};

/* The reader's task: read the next batch, and find the rank that holds each row's place.
 * Local. */
static enum status read_batch(void *of)
{
    struct read_job *job = of;
    const struct shuffle_memory *memory = &job->s->memory;
    const int64_t bytes = memory->record_bytes;
    struct batch *batch = job->batch;
    enum status st;

    TRY(row_source_read(job->source, batch->records, bytes, memory->batch, &batch->count,
                        &job->left));
    for (int64_t i = 0; i < batch->count; i++) {
        const int64_t row = record_at(batch->records, bytes, i)->row;

        batch->owners[i] = shuffle_plan_position(&job->s->plan, memory, row).rank;
    }
done:
    return st;
}

/* Copy a row to its place in the window that is being filled. */
static void take(void *to, const struct record *record)
{
    const struct shuffle_state *s = to;
    const struct window_rows *window = &s->buffers.windows[s->filled];
    const int64_t index = shuffle_plan_position(&s->plan, &s->memory, record->row).index;
    const int64_t bytes = s->memory.rows.bytes;

    memcpy(window->values + index * bytes, record->values, (size_t)bytes);
    window->origins[index] = record->origin;
}

/* Move all rows of a source into the memory of the ranks that will write them.  The next batch
 * is read while one is exchanged.  A rank whose reading failed takes part in the exchange without
 * rows, in which the other ranks learn of it.  Collective. */
static enum status fill(struct shuffle_state *s, struct row_source *source, const char *step)
{
    const int64_t rows = range_length(source->rows), done = s->done;
    struct read_job job = {
        .s = s, .source = source, .batch = s->buffers.batches,
        .left = row_source_part(source, s->run->rank, s->run->size),
    };
    int64_t sums[EXCHANGE_SUMS];
    enum status st;

    worker_begin(&s->reader, read_batch, &job);
    do {
        struct batch *batch = job.batch;

        phase_enter(PHASE_NONE);        /* the reader counts this time */
        st = worker_wait(&s->reader);
        phase_enter(PHASE_EXCHANGE);
        sums[EXCHANGE_FAILED] = st != OK;
        sums[EXCHANGE_STOPPING] = run_stopping_here();
        sums[EXCHANGE_WAITING] = range_length(job.left);
        job.batch = &s->buffers.batches[batch == s->buffers.batches];
        if (st == OK)
            worker_begin(&s->reader, read_batch, &job);
        exchange_records(&s->exchange, batch->records, batch->owners,
                         st == OK ? batch->count : 0, sums, take, s);
        if (sums[EXCHANGE_FAILED] > 0)
            TRY_ALL(s->run->comm, st);
        TRY(sums[EXCHANGE_STOPPING] > 0 ? run_stopped() : OK);
        s->done = done + rows - sums[EXCHANGE_WAITING];
        shuffle_state_tell(s, step);
    } while (sums[EXCHANGE_WAITING] > 0);
done:
    worker_wait(&s->reader);
    phase_enter(PHASE_COMPUTE);
    s->done = done;
    return st;
}

/* Move all rows of a source into a window of this rank's own.  Local. */
static enum status fill_own(struct shuffle_state *s, struct row_source *source)
{
    const struct batch *batch = &s->buffers.batches[0];
    const int64_t bytes = s->memory.record_bytes;
    struct range left = source->rows;
    enum status st = OK;
    int64_t count;

    while (left.first < left.end) {
        TRY(row_source_read(source, batch->records, bytes, s->memory.batch, &count, &left));
        for (int64_t i = 0; i < count; i++)
            take(s, record_at(batch->records, bytes, i));
        TRY(run_stopping_here() ? run_stopped() : OK);
    }
done:
    return st;
}

/* --- writing --------------------------------------------------------------------------- */

/* Write the window's part of a shard.  The shard's first window creates it, the last one hands it
 * to the publisher.  Collective over s->holders. */
static enum status write_part(struct shuffle_state *s, const struct window_rows *window,
                              int64_t shard)
{
    const struct range rows = split_block(s->plan.rows, s->plan.shard, shard);
    const struct row_statistics *in = &s->job->input->statistics;
    const struct range part = { max_int64(rows.first, window->rows.first),
                                min_int64(rows.end, window->rows.end) };
    char path[PATH_LENGTH], draft[PATH_LENGTH], name[PATH_LENGTH];
    enum status st = OK;

    shards_numbered(path, s->part, shard);
    path_print(draft, "%s.part", path);
    if (part.first == rows.first) {
        shards_numbered(name, "", shard);
        const struct identity identity = identity_within(&s->job->identity, name + 1);
        TRY(activation_writer_create(&s->shard, s->holders, draft, s->job->input->stream,
                                     range_length(rows), &identity));
        TRY(activation_writer_tell_source(&s->shard, (struct row_digest){ in->rows, in->hash }));
    }
    for (int64_t call = 0; call < shuffle_plan_writes(&s->memory, part); call++) {
        const struct range mine = shuffle_plan_write_range(&s->memory, part, call, s->holder);
        const struct range in_shard = { mine.first - rows.first, mine.end - rows.first };
        const int64_t index = mine.first == mine.end ? 0
                              : shuffle_plan_position(&s->plan, &s->memory, mine.first).index;

        TRY(activation_writer_write(&s->shard, in_shard,
                                    window->values + index * s->memory.rows.bytes,
                                    window->origins + index));
    }
    if (part.end == rows.end) {
        TRY(activation_writer_close(&s->shard, OK));
        if (s->holder == 0)
            shuffle_state_publish(s, path);
    }
done:
    return st;
}

/* The writer's task.  Collective over s->holders. */
static enum status write_window(void *of)
{
    struct shuffle_state *s = of;
    const struct window_rows *window = s->written;
    const int64_t rows = s->plan.shard;
    enum status st = OK;

    phase_enter(PHASE_WRITE);
    for (int64_t shard = window->rows.first / rows; shard * rows < window->rows.end; shard++)
        if (!s->complete[shard])
            TRY(write_part(s, window, shard));
done:
    return st;
}

/* --- both ------------------------------------------------------------------------------ */

/* Hand the window that was filled to the writer, which has finished the one before, and fill the
 * other buffer next. */
static void write_filled(struct shuffle_state *s)
{
    s->written = &s->buffers.windows[s->filled];
    s->filled = shuffle_plan_window_buffers(&s->plan) - 1 - s->filled;
    worker_begin(&s->writer, write_window, s);
}

enum status window_exchange(struct shuffle_state *s, struct row_source *source, int64_t first)
{
    const int64_t windows = s->plan.windows;
    const int64_t own = s->plan.placement == SHUFFLE_OWN_ONE_PASS ? first + s->run->rank : first;
    struct window_rows *window = &s->buffers.windows[s->filled];
    char step[64];
    enum status st;

    window->rows = own < windows ? shuffle_plan_range(&s->plan, own) : (struct range){0};
    snprintf(step, sizeof step, "window %lld of %lld", (long long)first + 1, (long long)windows);
    TRY(fill(s, source, step));
    TRY_ALL(s->run->comm, shuffle_state_await(s));
    write_filled(s);
done:
    return st;
}

enum status window_gather(struct shuffle_state *s, struct row_source *source, int64_t window)
{
    enum status st;

    s->buffers.windows[s->filled].rows = shuffle_plan_range(&s->plan, window);
    TRY(fill_own(s, source));
    TRY(shuffle_state_await(s));
    write_filled(s);
done:
    return st;
}
