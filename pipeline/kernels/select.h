/* select.h -- the largest entries of sparse codes, exactly.
 *
 * TopK autoencoders (Gao et al., arXiv:2406.04093) keep the k largest entries of each row,
 * BatchTopK ones (Bussmann et al., arXiv:2412.06410) those of a whole batch.  The choice depends
 * only on the values and their places: of equal values the first are kept, by row, then by
 * latent.
 */
#ifndef SELECT_H
#define SELECT_H

#include "kernels/codes.h"

#include <stdbool.h>

/* A cutoff: entries above `value` are kept, and of those equal to it the first `ties`. */
struct cutoff {
    float   value;
    int64_t ties;
};

/* Set `count` cutoffs that keep all entries. */
void select_all(struct cutoff *cutoffs, int64_t count);

/* The cutoff that keeps the k largest values, or all if there are k or fewer.
 *   value       [entries]   above 0
 *   start, end  [groups]    the groups' values are value[start[g]] to value[end[g] - 1]
 * Time: four passes over the values (the counting of a radix sort, without the sorting). */
struct cutoff select_largest(const float *value, const int32_t *start, const int32_t *end,
                             int64_t groups, int64_t k);

/* Reference implementation, for tests and benchmarks: sorts all values.
 *   sorted   [entries]    scratch */
struct cutoff select_largest_ref(const float *value, const int32_t *start, const int32_t *end,
                                 int64_t groups, int64_t k, float *sorted);

/* Split a cutoff of several groups together into one for each group.
 *   cutoffs         [groups]   out
 * The other arguments are those of select_largest(). */
void select_each(struct cutoff *cutoffs, struct cutoff cutoff, const float *value,
                 const int32_t *start, const int32_t *end, int64_t groups);

/* Keep the entries of each group that its cutoffs keep.
 *   out                 out  the groups of `codes` become groups first, ... of it, after those it
 *                            has; may be `codes` itself if first = 0
 *   active, auxiliary   in   [groups] cutoffs of the two sections */
void select_keep(struct codes *out, int64_t first, const struct codes *codes,
                 const struct cutoff *active, const struct cutoff *auxiliary);

#endif
