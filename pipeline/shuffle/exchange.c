#include "shuffle/exchange.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

enum { SENT, SENT_FROM, RECEIVED, RECEIVED_AT };

void exchange_start(struct exchange *exchange, MPI_Comm comm, int64_t bytes, int64_t per_pair,
                    char *send, char *receive)
{
    *exchange = (struct exchange){ .comm = comm, .bytes = bytes, .per_pair = per_pair,
                                   .send = send, .receive = receive };
    MPI_Comm_rank(comm, &exchange->rank);
    MPI_Comm_size(comm, &exchange->size);
    exchange->first = allocate(exchange->size, sizeof *exchange->first);
    exchange->left = allocate(exchange->size, sizeof *exchange->left);
    exchange->letters = allocate(2 * exchange->size, sizeof *exchange->letters);
    for (int i = 0; i < 4; i++)
        exchange->counts[i] = allocate(exchange->size, sizeof(int));
    MPI_Type_contiguous(comm_count(bytes), MPI_BYTE, &exchange->type);
    MPI_Type_commit(&exchange->type);
}

void exchange_finish(struct exchange *exchange)
{
    if (exchange->size == 0)
        return;
    MPI_Type_free(&exchange->type);
    for (int i = 0; i < 4; i++)
        free(exchange->counts[i]);
    free(exchange->letters);
    free(exchange->left);
    free(exchange->first);
    *exchange = (struct exchange){0};
}

/* Take the records of this rank; sort those of other ranks by receiver into `send`. */
static void sort_records(struct exchange *x, void *records, const int32_t *owners, int64_t count,
                         void (*take)(void *, const struct record *), void *to)
{
    int64_t before = 0;

    memset(x->left, 0, (size_t)x->size * sizeof *x->left);
    for (int64_t i = 0; i < count; i++)
        x->left[owners[i]] += owners[i] != x->rank;
    for (int r = 0; r < x->size; r++) {
        x->first[r] = before;
        before += x->left[r];
    }
    for (int64_t i = 0; i < count; i++) {
        const struct record *record = record_at(records, x->bytes, i);

        if (owners[i] == x->rank)
            take(to, record);
        else
            memcpy(record_at(x->send, x->bytes, x->first[owners[i]]++), record, (size_t)x->bytes);
    }
    for (int r = 0; r < x->size; r++)
        x->first[r] -= x->left[r];
}

/* Send every rank the number of its records, and sum `sums`.  Returns the largest number of
 * records that any rank sends to another, from which all ranks know the number of rounds. */
static int64_t announce(struct exchange *x, int64_t sums[EXCHANGE_SUMS])
{
    struct exchange_letter *sent = x->letters, *got = x->letters + x->size;
    int64_t longest = 0;

    for (int r = 0; r < x->size; r++)
        longest = max_int64(longest, x->left[r]);
    for (int r = 0; r < x->size; r++) {
        sent[r] = (struct exchange_letter){ .count = x->left[r], .longest = longest };
        memcpy(sent[r].sums, sums, sizeof sent[r].sums);
    }
    comm_meet(x->comm);
    MPI_Alltoall(sent, sizeof *sent, MPI_BYTE, got, sizeof *got, MPI_BYTE, x->comm);
    memset(sums, 0, sizeof sent->sums);
    for (int r = 0; r < x->size; r++) {
        longest = max_int64(longest, got[r].longest);
        for (int w = 0; w < EXCHANGE_SUMS; w++)
            sums[w] += got[r].sums[w];
    }
    return longest;
}

/* Take at most `per_pair` of the records that are left. */
static int take_some(int64_t *left, int64_t per_pair)
{
    const int64_t now = min_int64(*left, per_pair);

    *left -= now;
    return comm_count(now);
}

/* Send and receive up to per_pair records from each rank to each other one. */
static void one_round(struct exchange *x, void (*take)(void *, const struct record *), void *to)
{
    struct exchange_letter *got = x->letters + x->size;

    for (int r = 0; r < x->size; r++) {
        x->counts[SENT][r] = take_some(&x->left[r], x->per_pair);
        x->counts[SENT_FROM][r] = comm_count(x->first[r]);
        x->counts[RECEIVED][r] = take_some(&got[r].count, x->per_pair);
        x->counts[RECEIVED_AT][r] = comm_count(r * x->per_pair);
        x->first[r] += x->counts[SENT][r];
    }
    MPI_Alltoallv(x->send, x->counts[SENT], x->counts[SENT_FROM], x->type,
                  x->receive, x->counts[RECEIVED], x->counts[RECEIVED_AT], x->type, x->comm);
    for (int r = 0; r < x->size; r++)
        for (int64_t i = 0; i < x->counts[RECEIVED][r]; i++)
            take(to, record_at(x->receive, x->bytes, r * x->per_pair + i));
}

void exchange_records(struct exchange *exchange, void *records, const int32_t *owners,
                      int64_t count, int64_t sums[EXCHANGE_SUMS],
                      void (*take)(void *to, const struct record *record), void *to)
{
    sort_records(exchange, records, owners, count, take, to);
    for (int64_t left = announce(exchange, sums); left > 0; left -= exchange->per_pair)
        one_round(exchange, take, to);
}
