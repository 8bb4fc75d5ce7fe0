#include "shard/exchange.h"
#include "base/comm.h"

#include <stdlib.h>
#include <string.h>

enum { SENT, SENT_FROM, RECEIVED, RECEIVED_AT };

void exchange_start(struct exchange *exchange, MPI_Comm comm, int64_t bytes, int64_t pair,
                    char *send, char *receive)
{
    *exchange = (struct exchange){ .comm = comm, .bytes = bytes, .pair = pair,
                                   .send = send, .receive = receive };
    MPI_Comm_rank(comm, &exchange->rank);
    MPI_Comm_size(comm, &exchange->size);
    exchange->first = allocate(exchange->size, sizeof *exchange->first);
    exchange->left = allocate(exchange->size, sizeof *exchange->left);
    for (int i = 0; i < 4; i++)
        exchange->counts[i] = allocate(exchange->size, sizeof(int));
    MPI_Type_contiguous(mpi_count(bytes), MPI_BYTE, &exchange->type);
    MPI_Type_commit(&exchange->type);
}

void exchange_finish(struct exchange *exchange)
{
    if (exchange->size == 0)
        return;
    MPI_Type_free(&exchange->type);
    for (int i = 0; i < 4; i++)
        free(exchange->counts[i]);
    free(exchange->left);
    free(exchange->first);
    *exchange = (struct exchange){0};
}

/* Take what is our own, sort the rest by receiver into `send`. */
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

static void one_round(struct exchange *x, void (*take)(void *, const struct record *), void *to)
{
    for (int r = 0; r < x->size; r++) {
        const int64_t now = x->left[r] < x->pair ? x->left[r] : x->pair;

        x->counts[SENT][r] = mpi_count(now);
        x->counts[SENT_FROM][r] = mpi_count(x->first[r]);
        x->counts[RECEIVED_AT][r] = mpi_count(r * x->pair);
        x->first[r] += now;
        x->left[r] -= now;
    }
    MPI_Alltoall(x->counts[SENT], 1, MPI_INT, x->counts[RECEIVED], 1, MPI_INT, x->comm);
    MPI_Alltoallv(x->send, x->counts[SENT], x->counts[SENT_FROM], x->type,
                  x->receive, x->counts[RECEIVED], x->counts[RECEIVED_AT], x->type, x->comm);
    for (int r = 0; r < x->size; r++)
        for (int64_t i = 0; i < x->counts[RECEIVED][r]; i++)
            take(to, record_at(x->receive, x->bytes, r * x->pair + i));
}

void exchange_records(struct exchange *exchange, void *records, const int32_t *owners,
                      int64_t count, void (*take)(void *to, const struct record *record),
                      void *to)
{
    int64_t longest = 0;

    sort_records(exchange, records, owners, count, take, to);
    for (int r = 0; r < exchange->size; r++)
        longest = exchange->left[r] > longest ? exchange->left[r] : longest;
    MPI_Allreduce(MPI_IN_PLACE, &longest, 1, MPI_INT64_T, MPI_MAX, exchange->comm);
    for (; longest > 0; longest -= exchange->pair)
        one_round(exchange, take, to);
}
