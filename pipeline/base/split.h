/* split.h -- ranges, and how n things are divided into parts or blocks. */
#ifndef SPLIT_H
#define SPLIT_H

#include <stdint.h>

struct range {
    int64_t first, end;     /* first <= i < end */
};

/* How many things are in a range. */
static inline int64_t range_length(struct range range)
{
    return range.end - range.first;
}

/* Part number `part` of `parts` of [0, n), 0 <= part < parts.  Parts are contiguous, in order, and
 * differ by one thing at most, the longer ones first.  With more parts than things some are
 * empty. */
struct range split_range(int64_t n, int part, int parts);

/* The part in which split_range() puts thing i, 0 <= i < n. */
int split_part(int64_t n, int64_t i, int parts);

/* The number of blocks of `block` things that cover [0, n). */
int64_t split_blocks(int64_t n, int64_t block);

/* Block number `index` of [0, n); the last block may be short. */
struct range split_block(int64_t n, int64_t block, int64_t index);

/* Find which of several consecutive things holds position `at`, before[0] <= at < before[things].
 *   before  [things + 1]  ascending: where each thing begins, and where the last one ends */
int64_t split_find(const int64_t *before, int64_t things, int64_t at);

#endif
