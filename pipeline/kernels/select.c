#include "kernels/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bits of positive floats, as integers, are in the order of the values.  They are read from the
 * top in four digits. */
enum { DIGITS = 4, DIGIT_BITS = 8, BINS = 1 << DIGIT_BITS, ALL_BITS = DIGITS * DIGIT_BITS };

static inline uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Count, by one digit, the values whose higher digits are those of `prefix`. */
static void count_digit(int64_t counts[BINS], const float *value, int64_t n, uint32_t prefix,
                        int shift)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(value[i]);
        if ((uint64_t)bits >> (shift + DIGIT_BITS) == (uint64_t)prefix >> (shift + DIGIT_BITS))
            counts[bits >> shift & (BINS - 1)]++;
    }
}

/* Not used for one group: a parallel region costs more than counting the digits of a row. */
static void count_groups(int64_t counts[BINS], const float *value, const int32_t *start,
                         const int32_t *end, int64_t groups, uint32_t prefix, int shift)
{
    #pragma omp parallel for reduction(+ : counts[:BINS])
    for (int64_t g = 0; g < groups; g++)
        count_digit(counts, value + start[g], end[g] - start[g], prefix, shift);
}

/* Invariant: `left` of the k largest have the digits of `prefix`; the others are above. */
struct cutoff select_largest(const float *value, const int32_t *start, const int32_t *end,
                             int64_t groups, int64_t k)
{
    int64_t counts[BINS], left = k, all = 0;
    uint32_t prefix = 0;

    for (int64_t g = 0; g < groups; g++)
        all += end[g] - start[g];
    if (all <= k)
        return (struct cutoff){ 0, 0 };
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
    struct cutoff cutoff = { .ties = left };
    memcpy(&cutoff.value, &prefix, sizeof prefix);
    return cutoff;
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

struct cutoff select_largest_ref(const float *value, const int32_t *start, const int32_t *end,
                                 int64_t groups, int64_t k, float *sorted)
{
    int64_t n = 0, above = 0;

    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = start[g]; i < end[g]; i++)
            sorted[n++] = value[i];
    if (n <= k)
        return (struct cutoff){ 0, 0 };
    qsort(sorted, (size_t)n, sizeof *sorted, descending);
    while (sorted[above] > sorted[k - 1])
        above++;
    return (struct cutoff){ sorted[k - 1], k - above };
}

void select_all(struct cutoff *cutoffs, int64_t count)
{
    for (int64_t g = 0; g < count; g++)
        cutoffs[g] = (struct cutoff){ -INFINITY, 0 };
}

void select_each(struct cutoff *cutoffs, struct cutoff cutoff, const float *value,
                 const int32_t *start, const int32_t *end, int64_t groups)
{
    int64_t left = cutoff.ties;

    for (int64_t g = 0; g < groups; g++) {
        int64_t ties = 0;
        for (int32_t k = start[g]; k < end[g]; k++)
            ties += (value[k] >= cutoff.value) & (value[k] <= cutoff.value);
        cutoffs[g] = (struct cutoff){ cutoff.value, ties < left ? ties : left };
        left -= cutoffs[g].ties;
    }
}

/* Copy the entries start to end - 1 that a cutoff keeps to `at`, and return where they end.  Every
 * entry is written, and `at` moves only past those that stay: a branch would often be predicted
 * wrong. */
static int32_t keep(struct codes *out, int32_t at, const struct codes *codes, int32_t start,
                    int32_t end, struct cutoff cutoff)
{
    for (int32_t k = start; k < end; k++) {
        const float value = codes->value[k];
        int in = value > cutoff.value;

        if ((value <= cutoff.value) & (value >= cutoff.value) & (cutoff.ties > 0)) {
            in = 1;
            cutoff.ties--;
        }
        out->index[at] = codes->index[k];
        out->value[at] = value;
        at += in;
    }
    return at;
}

void select_keep(struct codes *out, int64_t first, const struct codes *codes,
                 const struct cutoff *active, const struct cutoff *auxiliary)
{
    int32_t at = first > 0 ? out->start[first] : 0, start = codes->start[0];

    out->start[first] = at;
    for (int64_t g = 0; g < codes->groups; g++) {
        const int32_t middle = codes->middle[g], end = codes->start[g + 1];

        out->middle[first + g] = at = keep(out, at, codes, start, middle, active[g]);
        out->start[first + g + 1] = at = keep(out, at, codes, middle, end, auxiliary[g]);
        start = end;
    }
}
