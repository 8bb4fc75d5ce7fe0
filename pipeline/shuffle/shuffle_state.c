#include "shuffle/shuffle_state.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/phase.h"

#include <stdio.h>
#include <stdlib.h>

/* Every buffer begins at a multiple of ALIGNMENT bytes; there are at most BUFFERS_MOST. */
enum { ALIGNMENT = 64, BUFFERS_MOST = 20 };

/* Hand out the next `bytes` of the allocation. */
static void *carve(char **next, int64_t bytes)
{
    char *here = *next;

    *next += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return here;
}

/* The buffers of the last pass.  `next` is a copy, so that the sort buffers start at the same
 * place. */
static void carve_windows(struct buffers *b, char *next, const struct shuffle_state *s)
{
    const struct shuffle_memory *memory = &s->memory;
    const int windows = shuffle_plan_window_buffers(&s->plan);
    const int64_t rows = memory->window_chunks / windows * memory->rows.output_chunk;

    for (int i = 0; i < memory->batches; i++) {
        b->batches[i].records = carve(&next, memory->batch * memory->record_bytes);
        b->batches[i].owners = carve(&next, memory->batch * (int64_t)sizeof(int32_t));
    }
    for (int i = 0; i < windows; i++) {
        b->windows[i].values = carve(&next, rows * memory->rows.bytes);
        b->windows[i].origins = carve(&next, rows * (int64_t)sizeof(struct row_origin));
    }
    b->send = carve(&next, memory->per_pair > 0 ? memory->batch * memory->record_bytes : 0);
    b->receive = carve(&next, 0);
}

/* The buffers of a partition pass. */
static void carve_sort_buffers(struct buffers *b, char *next, const struct shuffle_memory *memory)
{
    for (int i = 0; i < 2; i++) {
        b->sort[i].records = carve(&next, memory->run_rows * memory->record_bytes);
        b->sort[i].groups = carve(&next, memory->run_rows * (int64_t)sizeof(int32_t));
        b->sort[i].sorted = carve(&next, memory->run_rows * (int64_t)sizeof(int32_t));
    }
}

enum status shuffle_state_allocate(struct shuffle_state *s)
{
    const struct shuffle_memory *memory = &s->memory;
    const bool partitions = s->plan.partitions > 0;
    const int64_t scratch = partitions ? spill_scratch_bytes(&s->form) : 0;
    const int64_t sorting = scratch + (partitions ? shuffle_memory_run_bytes(memory) : 0);
    const int64_t places = memory->rows.input_chunk * (int64_t)sizeof(int64_t);
    const int64_t bytes = max_int64(shuffle_memory_window_bytes(memory), sorting) + places
                          + BUFFERS_MOST * ALIGNMENT;
    struct reorder_rows *rows = s->job->rows;
    struct buffers *b = &s->buffers;
    enum status st;
    char *next;

    TRY(memory_check(s->run->comm, bytes + shuffle_memory_window_other_bytes(memory), "shuffle"));
    if (rows->bytes < bytes) {
        free(rows->memory);
        *rows = (struct reorder_rows){ allocate_big(bytes, 1), bytes };
    }
    next = rows->memory;
    b->places = carve(&next, places);
    carve_windows(b, next, s);
    b->spill_scratch = carve(&next, scratch);
    carve_sort_buffers(b, next, memory);
done:
    return st;
}

void shuffle_state_tell(struct shuffle_state *s, const char *step)
{
    char what[96], name[32];

    snprintf(what, sizeof what, "%s, %s", site_tap_name(name, s->job->input->stream.tap), step);
    run_progress(s->run, what, s->since, s->skipped, s->done,
                 s->plan.rows * (s->plan.partitions + 1), "rows moved");
}

static enum status publish(void *path)
{
    phase_enter(PHASE_WRITE);
    return file_publish(path);
}

void shuffle_state_publish(struct shuffle_state *s, const char *path)
{
    /* The queue holds all of `published` but one, so a name is not overwritten before its turn. */
    char *job = s->published[s->publications++ % (WORKER_QUEUE + 1)];

    path_print(job, "%s", path);
    worker_queue(&s->publisher, publish, job);
}

enum status shuffle_state_await(struct shuffle_state *s)
{
    const enum phase before = phase_enter(PHASE_NONE);      /* the writer counts this time */
    const enum status st = worker_wait(&s->writer);

    phase_enter(before);
    return st != OK ? st : worker_status(&s->publisher);
}

enum status shuffle_state_settle(struct shuffle_state *s)
{
    const enum status written = shuffle_state_await(s);
    const enum phase before = phase_enter(PHASE_NONE);
    const enum status published = worker_wait(&s->publisher);

    phase_enter(before);
    return written != OK ? written : published;
}
