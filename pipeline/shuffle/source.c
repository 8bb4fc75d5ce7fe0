#include "shuffle/source.h"

#include <string.h>

/* The end of the chunk of the input that row `at` is in. */
static int64_t chunk_end(const struct activations *input, int64_t at)
{
    const int64_t shard = split_find(input->before, input->shards.count, at);
    const int64_t start = input->before[shard], stop = input->before[shard + 1];
    const int64_t end = start + ((at - start) / CHUNK_ROWS + 1) * CHUNK_ROWS;

    return end < stop ? end : stop;
}

/* Row `at`, or the end of the chunk that it is within; at most the list's end. */
static int64_t after_chunk(const struct source *source, int64_t at)
{
    if (source->dealt != NULL || at == source->rows.first)
        return at;
    const int64_t end = chunk_end(source->input, at - 1);
    return end < source->rows.end ? end : source->rows.end;
}

struct range source_part(const struct source *source, int part, int parts)
{
    const struct range even = split_range(range_length(source->rows), part, parts);

    return (struct range){ after_chunk(source, source->rows.first + even.first),
                           after_chunk(source, source->rows.first + even.end) };
}

static bool wanted(const struct source *source, int64_t row)
{
    return source->wanted.first <= row && row < source->wanted.end;
}

/* One chunk of the input, or what is left of it.  Records of rows that are not wanted are
 * overwritten by the next ones. */
static enum status read_input(struct source *source, char *records, int64_t bytes,
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

/* Some rows of a dealt chunk. */
static enum status read_dealt(struct source *source, char *records, int64_t bytes,
                              int64_t capacity, int64_t *count, struct range *left)
{
    enum status st;

    TRY(spill_read(source->dealt, records, count, capacity, left));
    for (int64_t i = 0; i < *count; i++) {
        const int64_t row = record_at(records, bytes, i)->row;

        TRY(wanted(source, row) ? OK : refuse(E_FORMAT, "the files on the way in %s are damaged: "
            "row %lld lies among rows %lld to %lld; remove the folder and run the same command "
            "again", source->dealt->folder, (long long)row, (long long)source->wanted.first,
            (long long)source->wanted.end - 1));
    }
done:
    return st;
}

enum status source_read(struct source *source, void *records, int64_t bytes, int64_t capacity,
                        int64_t *count, struct range *left)
{
    enum status st = OK;
    int64_t more;

    *count = 0;
    while (left->first < left->end && *count < capacity) {
        char *next = (char *)records + *count * bytes;

        if (source->dealt != NULL) {
            TRY(read_dealt(source, next, bytes, capacity - *count, &more, left));
        } else {
            const int64_t end = chunk_end(source->input, left->first);
            const struct range rows = { left->first, end < left->end ? end : left->end };

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
