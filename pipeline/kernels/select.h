/* select.h -- the largest entries of sparse codes, exactly.
 *
 * What TopK autoencoders (Gao et al., arXiv:2406.04093) keep of each row, and BatchTopK ones
 * (Bussmann et al., arXiv:2412.06410) of a whole batch.  The choice depends on the values and
 * places alone: of equal values the first are kept, by row, then by latent.
 */
#ifndef SELECT_H
#define SELECT_H

#include "kernels/codes.h"

#include <stdbool.h>

/* Where a choice ends: what is above `value` is in, and of what equals it the first `ties`. */
struct cut {
    float   value;
    int64_t ties;
};

/* The cut that leaves the k largest of some values, or all if there are no more than k.
 *   value       [entries]   above 0
 *   start, end  [groups]    the groups' values are value[start[g]] to value[end[g] - 1]
 * Time: four passes over the values (a radix sort's counting, without the sorting). */
struct cut cut_largest(const float *value, const int32_t *start, const int32_t *end,
                       int64_t groups, int64_t k);

/* The same by its definition: all values sorted.  Slow; kept as the measure of cut_largest().
 *   room   [entries]    in between */
struct cut cut_largest_ref(const float *value, const int32_t *start, const int32_t *end,
                           int64_t groups, int64_t k, float *room);

/* Keep of each group's active entries what `active` lets in, of its near ones what `near`
 * does; the lists move together in place.
 *   active   [1] for all groups together, or [groups] if `each`; its ties are used up
 *   near     [groups]; NULL: all are kept */
void codes_keep(struct codes *codes, struct cut *active, bool each, struct cut *near);

#endif
