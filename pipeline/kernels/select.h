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

/* The cuts that leave all. */
void select_all(struct cut *cuts, int64_t count);

/* The cut that leaves the k largest of some values, or all if there are no more than k.
 *   value       [entries]   above 0
 *   start, end  [groups]    the groups' values are value[start[g]] to value[end[g] - 1]
 * Time: four passes over the values (a radix sort's counting, without the sorting). */
struct cut select_largest(const float *value, const int32_t *start, const int32_t *end,
                       int64_t groups, int64_t k);

/* The same by its definition: all values sorted.  Slow; kept as the measure of select_largest().
 *   room   [entries]    in between */
struct cut select_largest_ref(const float *value, const int32_t *start, const int32_t *end,
                           int64_t groups, int64_t k, float *room);

/* A cut through several groups, as one for each of them.
 *   cuts         [groups]   out
 * the rest as for select_largest(). */
void select_each(struct cut *cuts, struct cut cut, const float *value, const int32_t *start,
              const int32_t *end, int64_t groups);

/* Keep of each group's active entries what its cut among `active` lets in, of its near ones that
 * among `near`.
 *   out            out  its groups `first`, ... become those of `codes`, behind what it has;
 *                       it may be `codes` itself, with first = 0: then they move together
 *   active, near   in   [groups] */
void select_keep(struct codes *out, int64_t first, const struct codes *codes,
                const struct cut *active, const struct cut *near);

#endif
