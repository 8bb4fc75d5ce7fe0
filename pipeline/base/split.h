/* split.h -- cut a number of things into parts that differ by one at most. */
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

/* Part number `part` of `parts` of [0, n): contiguous, in order, the longer parts first.
 * 0 <= part < parts.  Parts are empty when there are more of them than things. */
struct range split_range(int64_t n, int part, int parts);

/* The part of [0, n) that split_range() gives thing i, 0 <= i < n. */
int split_part(int64_t n, int64_t i, int parts);

/* How many blocks of `block` things cover n. */
int64_t split_blocks(int64_t n, int64_t block);

/* Block number `index` of [0, n); the last one may be short. */
struct range split_block(int64_t n, int64_t block, int64_t index);

/* Things of several lengths lie one behind the other; which one is place `at` in?
 *   before  [things + 1]  ascending: the lengths before each, and all of them
 * before[0] <= at < before[things]. */
int64_t split_find(const int64_t *before, int64_t things, int64_t at);

#endif
