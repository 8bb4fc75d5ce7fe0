#include "shard/records.h"

#include <string.h>

int64_t record_bytes(int64_t row_bytes)
{
    return (int64_t)sizeof(struct record) + (row_bytes + 7) / 8 * 8;
}

struct record *record_at(void *records, int64_t bytes, int64_t at)
{
    return (struct record *)(void *)((char *)records + at * bytes);
}

/* The end of the chunk of the input that row `at` is in. */
static int64_t chunk_end(const struct activations *input, int64_t at)
{
    const int64_t shard = split_find(input->before, input->shards.count, at);
    const int64_t start = input->before[shard], stop = input->before[shard + 1];
    const int64_t end = start + ((at - start) / CHUNK_ROWS + 1) * CHUNK_ROWS;
    return end < stop ? end : stop;
}

enum status records_read(void *records, int64_t *count, int64_t capacity, struct range *left,
                         struct activations *input, const struct order *order,
                         void *values, struct row_origin *origins, int64_t *places)
{
    const int64_t row_bytes = input->stream.width * store_bytes(input->stream.store);
    const int64_t bytes = record_bytes(row_bytes);
    enum status st = OK;

    *count = 0;
    while (left->first < left->end) {
        const int64_t chunk = chunk_end(input, left->first);
        const struct range rows = { left->first, chunk < left->end ? chunk : left->end };

        if (*count + rows.end - rows.first > capacity)
            break;
        TRY(activations_read(input, rows, values, origins));
        order_places(places, rows, order);
        for (int64_t i = 0; i < rows.end - rows.first; i++) {
            struct record *record = record_at(records, bytes, (*count)++);

            memset((char *)record + bytes - 8, 0, 8);
            *record = (struct record){ .row = places[i], .origin = origins[i] };
            memcpy(record->values, (const char *)values + i * row_bytes, (size_t)row_bytes);
        }
        left->first = rows.end;
    }
done:
    return st;
}
