/* sequences.h -- documents cut into what the model is fed.
 *
 * Document ids t0 t1 t2 ... become sequences of `context` ids: BOS and the next
 * context - 1 of them; the last one is padded.  No sequence holds two documents.
 */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include "shard/tokens.h"

/* A growing list. */
struct sequences {
    int64_t context;
    struct special_tokens special;
    int64_t count, room;                /* in sequences */
    int32_t *ids;                       /* [count, context] */
    struct sequence_origin *origins;    /* [count] */
};

/* Append the sequences of one document; an empty one has none.  Local. */
void sequences_cut(struct sequences *sequences, int64_t document,
                   const int32_t *ids, int64_t count);

/* Append one sequence as it is: `context` ids.  Local. */
void sequences_append(struct sequences *sequences, const int32_t *ids,
                      struct sequence_origin origin);

/* Append the lists of all ranks, in rank order, to the list of rank 0; the others' become
 * empty.  Collective. */
void sequences_gather(struct sequences *sequences, MPI_Comm comm);

void sequences_free(struct sequences *sequences);

#endif
