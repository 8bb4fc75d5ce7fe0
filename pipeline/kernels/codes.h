/* codes.h -- the sparse codes of a batch: which latents each row touches.
 *
 * An entry is a pair (row, latent) with its pre-activation.  It is `active` if the
 * pre-activation lies above the latent's threshold, and `near` if it does not, but lies
 * less than half a bandwidth below: such entries add nothing to the reconstruction, but
 * the threshold's gradient needs them (references of the method: step.h).
 *
 * Entries are grouped by row, or by latent after codes_transpose().  Within a group the
 * active ones come first, then the near ones, each in ascending order of the other index,
 * so a list does not depend on how the latents were cut into tiles.
 */
#ifndef CODES_H
#define CODES_H

#include <stdint.h>

struct codes {              /* fewer than 2^31 entries, as MPI counts */
    int64_t  groups;
    int32_t *start;         /* [groups + 1] first entry of each group; last, the number of entries */
    int32_t *middle;        /* [groups] first near entry of each group */
    int32_t *index;         /* [entries] latent, or row after the transposition */
    float   *value;         /* [entries] pre-activation */
};

/* List the entries of some rows within one tile of latents.
 *   codes       out  room for rows * width entries; groups, start and middle are filled too
 *   pre         in   [rows, width]  products with the encoder, without the bias
 *   bias        in   [width]
 *   threshold   in   [width]
 *   half        in   half the bandwidth, 0 or more
 *   first       in   number of the tile's first latent
 * An entry's value is pre + bias.  A NaN is never listed. */
void codes_scan(struct codes *codes, const float *pre, const float *bias,
                const float *threshold, float half, int32_t first, int64_t rows, int64_t width);

/* The same by its definition, kept as the measure of codes_scan(). */
void codes_scan_ref(struct codes *codes, const float *pre, const float *bias,
                    const float *threshold, float half, int32_t first, int64_t rows,
                    int64_t width);

/* List entries in two ways at once:  active are those with a = gain * pre + bias > threshold
 * and g = pre + gate > 0, with the value a; those with g > floor (0 or more) are listed behind
 * them, with the value g, in addition.
 *   codes   out  room for 2 * rows * width entries
 * all of [width].  The rest as for codes_scan(). */
struct two_lists {
    const float *gain, *bias, *threshold, *gate, *floor;
};

void codes_scan_two(struct codes *codes, const float *pre, const struct two_lists *lists,
                    int32_t first, int64_t rows, int64_t width);
void codes_scan_two_ref(struct codes *codes, const float *pre, const struct two_lists *lists,
                        int32_t first, int64_t rows, int64_t width);

/* Put side by side lists of the same rows over ascending ranges of latents.  Three calls, so
 * that the first and the last can be shared among threads: codes_join_sizes() counts the entries
 * of groups first, ..., first + rows - 1; codes_join_places() makes start and middle of the counts,
 * behind the groups before, which have theirs; codes_join() copies the entries.
 *   parts   in  [count]; their groups `from`, ..., from + rows - 1 are taken */
void codes_join_sizes(struct codes *codes, int64_t first, int64_t rows,
                      const struct codes *parts, int64_t count, int64_t from);
void codes_join_places(struct codes *codes, int64_t first, int64_t rows);
void codes_join(struct codes *codes, int64_t first, int64_t rows,
                const struct codes *parts, int64_t count, int64_t from);

/* The same entries grouped by latent: one counting sort.
 *   out     out  groups must be the number of latents
 *   moved   out  [entries] what `extra` says of each entry, in the new order
 *   extra   in   [entries] */
void codes_transpose(struct codes *out, float *moved, const struct codes *codes,
                     const float *extra);

#endif
