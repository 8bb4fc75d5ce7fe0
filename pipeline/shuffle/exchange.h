/* exchange.h -- send records from the ranks that read them to the ranks that hold their places.
 *
 * An exchange goes in rounds.  In a round a rank sends each other rank at most `per_pair`
 * records, so buffers and MPI's counts are bounded whatever the order of the rows.  A rank that
 * waits sleeps, since its reading and writing threads need the cores.  Every collective call may
 * have to wait for a core, so the numbers on which ranks must agree are sent along with the
 * counts of records.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "shuffle/records.h"

#include <mpi.h>

/* Numbers that each exchange sums over the ranks: ranks whose reading failed, ranks that received a
 * signal, rows that are still to be read. */
enum { EXCHANGE_FAILED, EXCHANGE_STOPPING, EXCHANGE_WAITING, EXCHANGE_SUMS };

struct exchange {
    MPI_Comm     comm;
    int          rank, size;
    int64_t      bytes;             /* of a record */
    int64_t      per_pair;          /* most records from one rank to another in a round */
    char        *send;              /* [capacity] records, by receiver; the caller's memory */
    char        *receive;           /* [size, per_pair] records; the caller's memory */
    int64_t     *first, *left;      /* [size] of each receiver: its next record, how many */
    struct exchange_letter {
        int64_t count;              /* records for the receiver */
        int64_t longest;            /* most records that the sender has for any one receiver */
        int64_t sums[EXCHANGE_SUMS];
    }           *letters;           /* [2, size] to each rank; from each */
    int         *counts[4];         /* [size] for MPI: sent, from where, received, to where */
    MPI_Datatype type;              /* a record */
};

/* `send` must have space for all records of one exchange_records(), `receive` for
 * size * per_pair; one rank alone needs neither.  Collective. */
void exchange_start(struct exchange *exchange, MPI_Comm comm, int64_t bytes, int64_t per_pair,
                    char *send, char *receive);
void exchange_finish(struct exchange *exchange);

/* Call take(to, record) for every record, on the rank that `owners` gives it, in no promised
 * order.
 *   records  [count]   in
 *   owners   [count]   in
 *   sums               in: this rank's numbers; out: their sums over all ranks
 * Collective; a rank may have no records. */
void exchange_records(struct exchange *exchange, void *records, const int32_t *owners,
                      int64_t count, int64_t sums[EXCHANGE_SUMS],
                      void (*take)(void *to, const struct record *record), void *to);

#endif
