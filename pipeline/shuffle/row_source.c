#include "shuffle/row_source.h"
#include "base/minmax.h"

#include <string.h>

/* The end of the input chunk that holds row `at`. */
static int64_t chunk_end(const struct activations *input, int64_t at)
{
    const int64_t shard = split_find(input->before, input->shards.count, at);
    const int64_t start = input->before[shard], stop = input->before[shard + 1];

    return min_int64(start + ((at - start) / CHUNK_ROWS + 1) * CHUNK_ROWS, stop);
}

/* Round row `at` up to the start of a chunk of the input, or to the list's end. */
static int64_t round_up_to_chunk(const struct row_source *source, int64_t at)
{
    if (source->spill != NULL || at == source->rows.first)
        return at;
    return min_int64(chunk_end(source->input, at - 1), source->rows.end);
}

struct range row_source_part(const struct row_source *source, int part, int parts)
{
    const struct range even = split_range(range_length(source->rows), part, parts);

    return (struct range){ round_up_to_chunk(source, source->rows.first + even.first),
                           round_up_to_chunk(source, source->rows.first + even.end) };
}

static bool wanted(const struct row_source *source, int64_t row)
{
    return source->wanted.first <= row && row < source->wanted.end;
}

/* Read rows of one chunk of the input.  All are decoded into `records`; the wanted ones then move
 * together. */
static enum status read_input(struct row_source *source, char *records, int64_t bytes,
                              int64_t *count, struct range rows)
{
    const int64_t row_bytes = stream_row_bytes(source->input->stream);
    struct record *first = record_at(records, bytes, 0);
    enum status st;

    *count = 0;
    TRY(activations_read_apart(source->input, rows, first->values, &first->origin, bytes));
    order_places(source->places, rows, source->order);
    for (int64_t i = 0; i < range_length(rows); i++) {
        struct record *record = record_at(records, bytes, *count);

        if (!wanted(source, source->places[i]))
            continue;
        if (i != *count)
            memcpy(record, record_at(records, bytes, i), (size_t)bytes);
        record->row = source->places[i];
        memset(record->values + row_bytes, 0, (size_t)(bytes - record_bytes(0) - row_bytes));
        ++*count;
    }
done:
    return st;
}

/* Read records of one chunk of a spill file. */
static enum status read_spilled(struct row_source *source, char *records, int64_t bytes,
                                int64_t capacity, int64_t *count, struct range *left)
{
    enum status st;

    TRY(spill_read(source->spill, records, count, capacity, left));
    for (int64_t i = 0; i < *count; i++) {
        const int64_t row = record_at(records, bytes, i)->row;

        REQUIRE(wanted(source, row), E_FORMAT, "the spill files in %s are damaged: row %lld lies "
                "among rows %lld to %lld; remove the folder and run the same command again",
                source->spill->folder, (long long)row, (long long)source->wanted.first,
                (long long)source->wanted.end - 1);
    }
done:
    return st;
}

enum status row_source_read(struct row_source *source, void *records, int64_t bytes,
                            int64_t capacity, int64_t *count, struct range *left)
{
    enum status st = OK;
    int64_t more;

    *count = 0;
    while (left->first < left->end && *count < capacity) {
        char *next = (char *)records + *count * bytes;

        if (source->spill != NULL) {
            TRY(read_spilled(source, next, bytes, capacity - *count, &more, left));
        } else {
            const struct range rows = {
                left->first, min_int64(chunk_end(source->input, left->first), left->end)
            };

            if (*count + range_length(rows) > capacity)
                break;
            TRY(read_input(source, next, bytes, &more, rows));
            left->first = rows.end;
        }
        *count += more;
    }
done:
    return st;
}
