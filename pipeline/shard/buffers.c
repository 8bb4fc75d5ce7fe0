#include "shard/buffers.h"
#include "base/memory.h"

#include <stdlib.h>

enum { SEAM = 64, SEAMS = 12 };     /* every buffer begins at a multiple of SEAM bytes */

/* The next `bytes` of what has not been handed out. */
static void *carve(char **next, int64_t bytes)
{
    char *here = *next;

    *next += (bytes + SEAM - 1) / SEAM * SEAM;
    return here;
}

enum status buffers_make(struct buffers *buffers, const struct room *room, MPI_Comm comm)
{
    const int64_t window = room_window_bytes(room), unit = room_unit_bytes(room);
    const int64_t bytes = room_chunk_bytes(room) + (window > unit ? window : unit)
                          + SEAMS * SEAM;
    const int64_t held = room->held * CHUNK_ROWS;
    char *next, *shared;
    enum status st;

    TRY(memory_check(comm, bytes + room_writing_bytes(room), "shuffle"));
    buffers->all = next = allocate(bytes, 1);
    buffers->chunk = carve(&next, CHUNK_ROWS * room->row_bytes);
    buffers->chunk_origins = carve(&next, CHUNK_ROWS * (int64_t)sizeof(struct row_origin));
    buffers->chunk_places = carve(&next, CHUNK_ROWS * (int64_t)sizeof(int64_t));

    shared = next;
    buffers->batch = carve(&next, room->batch * room->record_bytes);
    buffers->owners = carve(&next, room->batch * (int64_t)sizeof(int32_t));
    buffers->values = carve(&next, held * room->row_bytes);
    buffers->origins = carve(&next, held * (int64_t)sizeof(struct row_origin));
    buffers->send = carve(&next, room->ranks > 1 ? room->batch * room->record_bytes : 0);
    buffers->receive = carve(&next, 0);

    next = shared;
    buffers->unit = carve(&next, room->unit * room->record_bytes);
    buffers->groups = carve(&next, room->unit * (int64_t)sizeof(int32_t));
    buffers->sorted = carve(&next, 0);
done:
    return st;
}

void buffers_free(struct buffers *buffers)
{
    free(buffers->all);
    *buffers = (struct buffers){0};
}
