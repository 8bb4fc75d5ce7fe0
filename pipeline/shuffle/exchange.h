/* exchange.h -- records from the ranks that read them to the ranks that hold their places.
 *
 * Goes in rounds in which a rank sends any other at most `pair` records, so that buffers
 * and MPI's counts are bounded whatever the order.  Ranks that wait for others sleep, since
 * their reading and writing threads need the cores; and what they must agree on travels with
 * the numbers of records, since every collective call may have to wait for a core.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "shuffle/records.h"

#include <mpi.h>

/* What a rank tells all others with its records. */
enum { EXCHANGE_FAILED, EXCHANGE_STOPPING, EXCHANGE_WAITING, EXCHANGE_WORDS };

struct exchange {
    MPI_Comm     comm;
    int          rank, size;
    int64_t      bytes;             /* of a record */
    int64_t      pair;
    char        *send;              /* [capacity] records, by receiver; the caller's memory */
    char        *receive;           /* [size, pair] records; the caller's memory */
    int64_t     *first, *left;      /* [size] of each receiver: its next record, how many */
    struct exchange_letter {
        int64_t count;              /* records for the receiver */
        int64_t longest;            /* records for the receiver who gets most */
        int64_t words[EXCHANGE_WORDS];
    }           *letters;           /* [2, size] to each rank; from each */
    int         *counts[4];         /* [size] for MPI: sent, from where, received, to where */
    MPI_Datatype type;              /* a record */
};

/* `send` has room for as many records as a call of exchange_records() brings, `receive` for
 * size * pair; neither is needed for one rank.  Collective. */
void exchange_start(struct exchange *exchange, MPI_Comm comm, int64_t bytes, int64_t pair,
                    char *send, char *receive);
void exchange_finish(struct exchange *exchange);

/* Hand every record to take(to, record) on the rank that `owners` says, in no promised
 * order.
 *   records  [count]   in
 *   owners   [count]   in
 *   words              in: this rank's; out: the sums of all ranks'
 * Collective; a rank may bring none. */
void exchange_records(struct exchange *exchange, void *records, const int32_t *owners,
                      int64_t count, int64_t words[EXCHANGE_WORDS],
                      void (*take)(void *to, const struct record *record), void *to);

#endif
