/* window.c -- the last pass of a shuffle: rows into the window they belong to, and the window
 * into the output's shards. */
#include "shard/shuffling.h"

#include <stdio.h>
#include <string.h>

/* --- filling --------------------------------------------------------------------------- */

/* Where a window's rows come from, and how far the reader is. */
struct filling {
    struct shuffling *s;
    struct source    *source;
    struct range      window;   /* its rows */
    struct range      left;     /* of the source, for this rank */
    struct batch     *batch;    /* to be read next */
};

/* The reader's job: read the next batch and find out who holds its places.  Local. */
static enum status read_batch(void *of)
{
    struct filling *f = of;
    const struct room *room = &f->s->room;
    struct batch *batch = f->batch;
    enum status st;

    TRY(source_read(f->source, batch->records, room->record_bytes, room->batch, &batch->count,
                    &f->left));
    for (int64_t i = 0; i < batch->count; i++)
        batch->owners[i] = passes_seat(&f->s->passes, room, f->window,
                                       record_at(batch->records, room->record_bytes, i)->row).rank;
done:
    return st;
}

/* Put a row into its place in the window. */
static void take(void *to, const struct record *record)
{
    const struct filling *f = to;
    const struct shuffling *s = f->s;
    const struct window_rows *window = &s->buffers.windows[s->next];
    const struct seat seat = passes_seat(&s->passes, &s->room, f->window, record->row);

    memcpy(window->values + seat.slot * s->room.rows.bytes, record->values,
           (size_t)s->room.rows.bytes);
    window->origins[seat.slot] = record->origin;
}

/* All rows of a window into the memory of the ranks that will write them.  While a batch is
 * exchanged, the next one is read.  A rank whose reading failed goes on without rows of its own
 * until all know.  Collective. */
static enum status fill(struct shuffling *s, struct source *source, const char *step)
{
    const int64_t rows = source->rows.end - source->rows.first, done = s->done;
    struct filling f = {
        .s = s, .source = source, .window = s->buffers.windows[s->next].rows,
        .left = source_part(source, s->run->rank, s->run->size), .batch = s->buffers.batches,
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
        words[EXCHANGE_WAITING] = f.left.end - f.left.first;
        f.batch = &s->buffers.batches[batch == s->buffers.batches];
        if (st == OK)
            worker_begin(&s->reader, read_batch, &f);
        exchange_records(&s->exchange, batch->records, batch->owners,
                         st == OK ? batch->count : 0, words, take, &f);
        if (words[EXCHANGE_FAILED] > 0)
            TRY_ALL(s->run->comm, st);
        TRY(words[EXCHANGE_STOPPING] > 0 ? shuffling_stopped() : OK);
        s->done = done + rows - words[EXCHANGE_WAITING];
        shuffling_tell(s, step);
    } while (words[EXCHANGE_WAITING] > 0);
done:
    worker_wait(&s->reader);
    phase_enter(PHASE_COMPUTE);
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

    reorder_path(path, s->part, shard);
    path_print(draft, "%s.part", path);
    if (part.first == rows.first) {
        TRY(activation_create(&s->shard, s->writing, draft, s->job->input->stream,
                              rows.end - rows.first, s->job->suite));
        TRY(activation_tell_source(&s->shard, (struct row_digest){ in->rows, in->hash }));
    }
    for (int64_t call = 0; call < passes_calls(&s->room, part); call++) {
        const struct range mine = passes_stretch(&s->room, part, call, s->run->rank);
        const int64_t slot = mine.first == mine.end ? 0
                             : passes_seat(&s->passes, &s->room, window->rows, mine.first).slot;

        TRY(activation_write(&s->shard, (struct range){ mine.first - rows.first,
                                                        mine.end - rows.first },
                             window->values + slot * s->room.rows.bytes, window->origins + slot));
    }
    if (part.end == rows.end) {
        TRY(activation_close(&s->shard, OK));
        TRY_ALL(s->writing, s->run->rank == 0 ? file_publish(path) : OK);
        s->complete[shard] = true;
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

enum status shuffling_settle(struct shuffling *s)
{
    const enum phase before = phase_enter(PHASE_NONE);      /* its time is the writer's */
    const enum status st = worker_wait(&s->writer);         /* agreed */

    phase_enter(before);
    return st;
}

enum status shuffling_window(struct shuffling *s, struct source *source, int64_t window)
{
    struct window_rows *filled = &s->buffers.windows[s->next];
    char step[64];
    enum status st;

    filled->rows = passes_range(&s->passes, window);
    snprintf(step, sizeof step, "window %lld of %lld", (long long)window + 1,
             (long long)s->passes.windows);
    TRY(fill(s, source, step));
    TRY(shuffling_settle(s));
    s->written = filled;
    s->next = passes_at_once(&s->passes) - 1 - s->next;
    worker_begin(&s->writer, write_window, s);
done:
    return st;
}
