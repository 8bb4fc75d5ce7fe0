#include "kernels/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bits of a float above 0 are in the order of its value.  They are looked at from the top,
 * in four digits. */
enum { DIGITS = 4, DIGIT_BITS = 8, BINS = 1 << DIGIT_BITS, ALL_BITS = DIGITS * DIGIT_BITS };

static inline uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Count by one digit the values whose higher digits are those of `prefix`. */
static void count_digit(int64_t counts[BINS], const float *value, int64_t n, uint32_t prefix,
                        int shift)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(value[i]);
        if ((uint64_t)bits >> (shift + DIGIT_BITS) == (uint64_t)prefix >> (shift + DIGIT_BITS))
            counts[bits >> shift & (BINS - 1)]++;
    }
}

/* Kept apart: a parallel region of one thread costs more than a row's digits. */
static void count_groups(int64_t counts[BINS], const float *value, const int32_t *start,
                         const int32_t *end, int64_t groups, uint32_t prefix, int shift)
{
    #pragma omp parallel for reduction(+ : counts[:BINS])
    for (int64_t g = 0; g < groups; g++)
        count_digit(counts, value + start[g], end[g] - start[g], prefix, shift);
}

/* Invariant: `left` of the k are still to be found among those with the digits of `prefix`. */
struct cut cut_largest(const float *value, const int32_t *start, const int32_t *end,
                       int64_t groups, int64_t k)
{
    int64_t counts[BINS], left = k, all = 0;
    uint32_t prefix = 0;

    for (int64_t g = 0; g < groups; g++)
        all += end[g] - start[g];
    if (all <= k)
        return (struct cut){ 0, 0 };
    for (int shift = ALL_BITS - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
        uint32_t bin = BINS - 1;

        memset(counts, 0, sizeof counts);
        if (groups == 1)
            count_digit(counts, value + start[0], end[0] - start[0], prefix, shift);
        else
            count_groups(counts, value, start, end, groups, prefix, shift);
        while (counts[bin] < left)
            left -= counts[bin--];
        prefix |= bin << shift;
    }
    struct cut cut = { .ties = left };
    memcpy(&cut.value, &prefix, sizeof prefix);
    return cut;
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

struct cut cut_largest_ref(const float *value, const int32_t *start, const int32_t *end,
                           int64_t groups, int64_t k, float *room)
{
    int64_t n = 0, above = 0;

    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = start[g]; i < end[g]; i++)
            room[n++] = value[i];
    if (n <= k)
        return (struct cut){ 0, 0 };
    qsort(room, (size_t)n, sizeof *room, descending);
    while (room[above] > room[k - 1])
        above++;
    return (struct cut){ room[k - 1], k - above };
}

/* Entries start to end - 1 move to `at` as far as they are in; returns where they end.  Each is
 * written before it is known whether it stays, since a guess would often be wrong. */
static int32_t keep(struct codes *codes, int32_t at, int32_t start, int32_t end, struct cut *cut)
{
    const float least = cut->value;
    int64_t ties = cut->ties;

    for (int32_t k = start; k < end; k++) {
        const float value = codes->value[k];
        int in = value > least;

        if ((value <= least) & (value >= least) & (ties > 0)) {
            in = 1;
            ties--;
        }
        codes->index[at] = codes->index[k];
        codes->value[at] = value;
        at += in;
    }
    cut->ties = ties;
    return at;
}

void codes_keep(struct codes *codes, struct cut *active, bool each, struct cut *near)
{
    struct cut all = { -INFINITY, 0 };
    int32_t at = codes->start[0], start = at;

    for (int64_t g = 0; g < codes->groups; g++) {
        const int32_t middle = codes->middle[g], end = codes->start[g + 1];

        at = keep(codes, at, start, middle, each ? &active[g] : active);
        codes->middle[g] = at;
        at = keep(codes, at, middle, end, near != NULL ? &near[g] : &all);
        codes->start[g + 1] = at;
        start = end;
    }
}
