/* sequences.h -- cut documents into the model's input sequences.
 *
 * The ids of a document become sequences of `context` ids: BOS and the next context - 1 ids; the
 * last sequence is padded.  No sequence holds two documents.
 */
#ifndef SEQUENCES_H
#define SEQUENCES_H

#include "shard/tokens.h"

/* A growing list. */
struct sequences {
    int64_t context;
    struct special_tokens special;
    int64_t count, capacity;            /* in sequences */
    int32_t *ids;                       /* [count, context] */
    struct sequence_origin *origins;    /* [count] */
};

/* Append the sequences of one document; an empty document has none.  Local. */
void sequences_cut(struct sequences *sequences, int64_t document,
                   const int32_t *ids, int64_t count);

/* Append one sequence as it is: `context` ids.  Local. */
void sequences_append(struct sequences *sequences, const int32_t *ids,
                      struct sequence_origin origin);

/* Append the lists of all ranks, in rank order, to the list of rank 0, and empty the others.
 * Collective. */
void sequences_gather(struct sequences *sequences, MPI_Comm comm);

void sequences_free(struct sequences *sequences);

#endif
