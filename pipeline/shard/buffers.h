/* buffers.h -- the memory of a shuffle: one allocation, made before the work begins. */
#ifndef BUFFERS_H
#define BUFFERS_H

#include "shard/passes.h"
#include "shard/records.h"

struct buffers {
    char              *all;
    char              *chunk;           /* a chunk of the input, ... */
    struct row_origin *chunk_origins;   /* [CHUNK_ROWS] */
    int64_t           *chunk_places;    /* [CHUNK_ROWS] ... and where its rows go */

    char              *batch;           /* [batch] records on their way into a window */
    int32_t           *owners;          /* [batch] ranks that hold their places */
    char              *send, *receive;  /* for the exchange */
    char              *values;          /* [held chunks] of a window */
    struct row_origin *origins;         /* [held chunks] */

    char              *unit;            /* [unit] records to be dealt; in the memory of the */
    int32_t           *groups;          /* [unit] six above, which are not needed then */
    int32_t           *sorted;          /* [unit] */
};

/* E_ROOM, before anything is allocated, if the ranks of some node need more than it has.
 * Collective. */
enum status buffers_make(struct buffers *buffers, const struct room *room, MPI_Comm comm);
void        buffers_free(struct buffers *buffers);

#endif
