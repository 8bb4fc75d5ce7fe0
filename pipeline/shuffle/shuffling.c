#include "shuffle/shuffling.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "base/phase.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEAM = 64, SEAMS = 20 };     /* every buffer begins at a multiple of SEAM bytes */

/* The next `bytes` of what has not been handed out. */
static void *carve(char **next, int64_t bytes)
{
    char *here = *next;

    *next += (bytes + SEAM - 1) / SEAM * SEAM;
    return here;
}

static void carve_windows(struct buffers *b, char *next, const struct shuffling *s)
{
    const struct shuffle_memory *room = &s->room;
    const int windows = shuffle_plan_held(&s->passes);
    const int64_t held = room->held / windows * room->rows.out;

    for (int i = 0; i < room->batches; i++) {
        b->batches[i].records = carve(&next, room->batch * room->record_bytes);
        b->batches[i].owners = carve(&next, room->batch * (int64_t)sizeof(int32_t));
    }
    for (int i = 0; i < windows; i++) {
        b->windows[i].values = carve(&next, held * room->rows.bytes);
        b->windows[i].origins = carve(&next, held * (int64_t)sizeof(struct row_origin));
    }
    b->send = carve(&next, room->pair > 0 ? room->batch * room->record_bytes : 0);
    b->receive = carve(&next, 0);
}

static void carve_units(struct buffers *b, char *next, const struct shuffle_memory *room)
{
    for (int i = 0; i < 2; i++) {
        b->units[i].records = carve(&next, room->unit * room->record_bytes);
        b->units[i].groups = carve(&next, room->unit * (int64_t)sizeof(int32_t));
        b->units[i].sorted = carve(&next, room->unit * (int64_t)sizeof(int32_t));
    }
}

enum status shuffling_allocate(struct shuffling *s)
{
    const struct shuffle_memory *room = &s->room;
    const bool deals = s->passes.dealings > 0;
    const int64_t window = shuffle_memory_window_bytes(room), unit = deals ? shuffle_memory_run_bytes(room) : 0;
    const int64_t dealing = deals ? spill_scratch_bytes(&s->form) : 0;
    const int64_t places = room->rows.in * (int64_t)sizeof(int64_t);
    const int64_t bytes = (window > unit + dealing ? window : unit + dealing) + places
                          + SEAMS * SEAM;
    struct reorder_rows *rows = s->job->rows;
    struct buffers *b = &s->buffers;
    enum status st;
    char *next;

    TRY(memory_check(s->run->comm, bytes + shuffle_memory_window_other_bytes(room), "shuffle"));
    if (rows->bytes < bytes) {
        free(rows->memory);
        *rows = (struct reorder_rows){ allocate_big(bytes, 1), bytes };
    }
    next = rows->memory;
    b->places = carve(&next, places);
    carve_windows(b, next, s);
    b->dealing = carve(&next, dealing);
    carve_units(b, next, room);
done:
    return st;
}

void shuffling_tell(struct shuffling *s, const char *step)
{
    char what[96], name[32];

    snprintf(what, sizeof what, "%s, %s", site_tap_name(name, s->job->input->stream.tap), step);
    run_progress(s->run, what, s->since, s->skipped, s->done,
                 s->passes.rows * (s->passes.dealings + 1), "rows moved");
}

enum status shuffling_stopped(void)
{
    return refuse(E_STOPPED, "stopped by a signal; run the same command again to go on");
}

static enum status publish(void *path)
{
    phase_enter(PHASE_WRITE);
    return file_publish(path);
}

void shuffling_publish(struct shuffling *s, const char *path)
{
    /* The queue has room for all of these but one. */
    char *job = s->published[s->publications++ % (WORKER_QUEUE + 1)];

    path_print(job, "%s", path);
    worker_queue(&s->publisher, publish, job);
}

enum status shuffling_await(struct shuffling *s)
{
    const enum phase before = phase_enter(PHASE_NONE);      /* its time is the writer's */
    const enum status st = worker_wait(&s->writer);

    phase_enter(before);
    return st != OK ? st : worker_status(&s->publisher);
}

enum status shuffling_settle(struct shuffling *s)
{
    const enum status written = shuffling_await(s);
    const enum phase before = phase_enter(PHASE_NONE);
    const enum status published = worker_wait(&s->publisher);

    phase_enter(before);
    return written != OK ? written : published;
}
