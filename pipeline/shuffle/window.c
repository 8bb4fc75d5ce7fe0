#include "shuffle/window.h"
#include "base/agree.h"

#include <stdio.h>
#include <string.h>

/* --- filling --------------------------------------------------------------------------- */

/* Where a window's rows come from, and how far the reader is. */
struct filling {
    struct shuffling *s;
    struct source    *source;
    struct range      left;     /* of the source, for this rank */
    struct batch     *batch;    /* to be read next */
};

/* The reader's job: read the next batch and find out who holds its places.  Local. */
static enum status read_batch(void *of)
{
    struct filling *f = of;
    const struct shuffle_memory *room = &f->s->room;
    struct batch *batch = f->batch;
    enum status st;

    TRY(source_read(f->source, batch->records, room->record_bytes, room->batch, &batch->count,
                    &f->left));
    for (int64_t i = 0; i < batch->count; i++)
        batch->owners[i] = shuffle_plan_position(&f->s->passes, room,
                                       record_at(batch->records, room->record_bytes, i)->row).rank;
done:
    return st;
}

/* Put a row into its place in the window. */
static void take(void *to, const struct record *record)
{
    const struct shuffling *s = to;
    const struct window_rows *window = &s->buffers.windows[s->next];
    const struct shuffle_position shuffle_position = shuffle_plan_position(&s->passes, &s->room, record->row);

    memcpy(window->values + shuffle_position.slot * s->room.rows.bytes, record->values,
           (size_t)s->room.rows.bytes);
    window->origins[shuffle_position.slot] = record->origin;
}

/* All rows of a source into the memory of the ranks that will write them.  While a batch is
 * exchanged, the next one is read.  A rank whose reading failed goes on without rows of its own
 * until all know.  Collective. */
static enum status fill(struct shuffling *s, struct source *source, const char *step)
{
    const int64_t rows = range_length(source->rows), done = s->done;
    struct filling f = {
        .s = s, .source = source, .batch = s->buffers.batches,
        .left = source_part(source, s->run->rank, s->run->size),
    };
    int64_t words[EXCHANGE_WORDS];
    enum status st;

    worker_begin(&s->reader, read_batch, &f);
    do {
        struct batch *batch = f.batch;

        phase_enter(PHASE_NONE);        /* its time is the reader's */
        st = worker_wait(&s->reader);
        phase_enter(PHASE_EXCHANGE);
        words[EXCHANGE_FAILED] = st != OK;
        words[EXCHANGE_STOPPING] = run_stopping_here();
        words[EXCHANGE_WAITING] = range_length(f.left);
        f.batch = &s->buffers.batches[batch == s->buffers.batches];
        if (st == OK)
            worker_begin(&s->reader, read_batch, &f);
        exchange_records(&s->exchange, batch->records, batch->owners,
                         st == OK ? batch->count : 0, words, take, s);
        if (words[EXCHANGE_FAILED] > 0)
            TRY_ALL(s->run->comm, st);
        TRY(words[EXCHANGE_STOPPING] > 0 ? shuffling_stopped() : OK);
        s->done = done + rows - words[EXCHANGE_WAITING];
        shuffling_tell(s, step);
    } while (words[EXCHANGE_WAITING] > 0);
done:
    worker_wait(&s->reader);
    phase_enter(PHASE_COMPUTE);
    s->done = done;
    return st;
}

/* All rows of a source into the window that this rank holds.  Local. */
static enum status fill_own(struct shuffling *s, struct source *source)
{
    const struct batch *batch = &s->buffers.batches[0];
    struct range left = source->rows;
    enum status st = OK;
    int64_t count;

    while (left.first < left.end) {
        TRY(source_read(source, batch->records, s->room.record_bytes, s->room.batch, &count,
                        &left));
        for (int64_t i = 0; i < count; i++)
            take(s, record_at(batch->records, s->room.record_bytes, i));
        TRY(run_stopping_here() ? shuffling_stopped() : OK);
    }
done:
    return st;
}

/* --- writing --------------------------------------------------------------------------- */

/* The window's part of a shard.  A shard is created by its first window and published by
 * its last.  Collective over s->writing. */
static enum status write_part(struct shuffling *s, const struct window_rows *window, int64_t shard)
{
    const struct range rows = split_block(s->passes.rows, s->passes.shard, shard);
    const struct row_statistics *in = &s->job->input->statistics;
    const struct range part = {
        rows.first > window->rows.first ? rows.first : window->rows.first,
        rows.end < window->rows.end ? rows.end : window->rows.end,
    };
    char path[PATH_LENGTH], draft[PATH_LENGTH];
    enum status st = OK;

    shards_numbered(path, s->part, shard);
    path_print(draft, "%s.part", path);
    if (part.first == rows.first) {
        TRY(activation_writer_create(&s->shard, s->writing, draft, s->job->input->stream,
                              range_length(rows), s->job->suite));
        TRY(activation_writer_tell_source(&s->shard, (struct row_digest){ in->rows, in->hash }));
    }
    for (int64_t call = 0; call < shuffle_plan_calls(&s->room, part); call++) {
        const struct range mine = shuffle_plan_stretch(&s->room, part, call, s->place);
        const int64_t slot = mine.first == mine.end ? 0
                             : shuffle_plan_position(&s->passes, &s->room, mine.first).slot;

        TRY(activation_writer_write(&s->shard, (struct range){ mine.first - rows.first,
                                                        mine.end - rows.first },
                             window->values + slot * s->room.rows.bytes, window->origins + slot));
    }
    if (part.end == rows.end) {
        TRY(activation_writer_close(&s->shard, OK));
        if (s->place == 0)
            shuffling_publish(s, path);
    }
done:
    return st;
}

/* The writer's job.  Collective over s->writing. */
static enum status write_window(void *of)
{
    struct shuffling *s = of;
    const struct window_rows *window = s->written;
    const int64_t each = s->passes.shard;
    enum status st = OK;

    phase_enter(PHASE_WRITE);
    for (int64_t shard = window->rows.first / each; shard * each < window->rows.end; shard++)
        if (!s->complete[shard])
            TRY(write_part(s, window, shard));
done:
    return st;
}

/* --- both ------------------------------------------------------------------------------ */

/* Have the window that was filled written; the one before is. */
static void write_next(struct shuffling *s)
{
    s->written = &s->buffers.windows[s->next];
    s->next = shuffle_plan_held(&s->passes) - 1 - s->next;
    worker_begin(&s->writer, write_window, s);
}

enum status window_exchange(struct shuffling *s, struct source *source, int64_t first)
{
    const int64_t own = s->passes.way == SHUFFLE_AT_ONCE ? first + s->run->rank : first;
    struct window_rows *window = &s->buffers.windows[s->next];
    char step[64];
    enum status st;

    window->rows = own < s->passes.windows ? shuffle_plan_range(&s->passes, own) : (struct range){0};
    snprintf(step, sizeof step, "window %lld of %lld", (long long)first + 1,
             (long long)s->passes.windows);
    TRY(fill(s, source, step));
    TRY_ALL(s->run->comm, shuffling_await(s));
    write_next(s);
done:
    return st;
}

enum status window_gather(struct shuffling *s, struct source *source, int64_t window)
{
    enum status st;

    s->buffers.windows[s->next].rows = shuffle_plan_range(&s->passes, window);
    TRY(fill_own(s, source));
    TRY(shuffling_await(s));
    write_next(s);
done:
    return st;
}
