#include "corpus/sequences.h"
#include "base/die.h"

#include <stdlib.h>
#include <string.h>

static void reserve(struct sequences *sequences, int64_t count)
{
    const size_t each = (size_t)sequences->context * sizeof *sequences->ids;

    if (count <= sequences->capacity)
        return;
    sequences->capacity = 2 * count;
    sequences->ids = realloc(sequences->ids, (size_t)sequences->capacity * each);
    sequences->origins = realloc(sequences->origins,
                                 (size_t)sequences->capacity * sizeof *sequences->origins);
    if (sequences->ids == NULL || sequences->origins == NULL)
        die("no memory for %lld sequences", (long long)sequences->capacity);
}

void sequences_append(struct sequences *sequences, const int32_t *ids,
                      struct sequence_origin origin)
{
    reserve(sequences, sequences->count + 1);
    memcpy(sequences->ids + sequences->count * sequences->context, ids,
           (size_t)sequences->context * sizeof *ids);
    sequences->origins[sequences->count++] = origin;
}

void sequences_cut(struct sequences *sequences, int64_t document,
                   const int32_t *ids, int64_t count)
{
    const int64_t text = sequences->context - 1;

    for (int64_t start = 0; start < count; start += text) {
        const int64_t n = count - start < text ? count - start : text;

        reserve(sequences, sequences->count + 1);
        int32_t *to = sequences->ids + sequences->count * sequences->context;
        to[0] = sequences->special.bos;
        memcpy(to + 1, ids + start, (size_t)n * sizeof *ids);
        for (int64_t i = n; i < text; i++)
            to[1 + i] = sequences->special.pad;
        sequences->origins[sequences->count++] = (struct sequence_origin){ document, start };
    }
}

void sequences_gather(struct sequences *sequences, MPI_Comm comm)
{
    const int64_t context = sequences->context;
    MPI_Status status;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    if (rank != 0) {
        const int64_t count = sequences->count;
        MPI_Send(&count, 1, MPI_INT64_T, 0, 0, comm);
        MPI_Send(sequences->ids, comm_count(count * context), MPI_INT32_T, 0, 1, comm);
        MPI_Send(sequences->origins, comm_count(count * 2), MPI_INT64_T, 0, 2, comm);
        sequences->count = 0;
        return;
    }
    for (int from = 1; from < size; from++) {
        int64_t count;
        MPI_Recv(&count, 1, MPI_INT64_T, from, 0, comm, &status);
        reserve(sequences, sequences->count + count);
        MPI_Recv(sequences->ids + sequences->count * context, comm_count(count * context),
                 MPI_INT32_T, from, 1, comm, &status);
        MPI_Recv(sequences->origins + sequences->count, comm_count(count * 2), MPI_INT64_T,
                 from, 2, comm, &status);
        sequences->count += count;
    }
}

void sequences_free(struct sequences *sequences)
{
    free(sequences->origins);
    free(sequences->ids);
    *sequences = (struct sequences){0};
}
