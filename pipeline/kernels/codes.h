/* codes.h -- the sparse codes of a batch: which latents each row touches.
 *
 * An entry is a pair (row, latent) with its pre-activation.  A latent is active in a row if its
 * pre-activation is above its threshold.  Auxiliary entries add nothing to the reconstruction, but
 * the architecture needs them for gradients: JumpReLU those less than half a bandwidth below their
 * threshold, Gated those with an open gate, TopK with AuxK those of dead latents.
 *
 * Entries are grouped by row, or by latent after codes_transpose().  Each group has two sections,
 * active entries and then auxiliary ones, each in ascending order of the other index.  So a list
 * does not depend on the tiles into which the latents were divided.
 */
#ifndef CODES_H
#define CODES_H

#include <stdint.h>

struct codes {              /* fewer than 2^31 entries, as MPI counts */
    int64_t  groups;
    int32_t *start;         /* [groups + 1] first entry of each group, and the number of all */
    int32_t *middle;        /* [groups] first auxiliary entry of each group */
    int32_t *index;         /* [entries] latent; row after codes_transpose() */
    float   *value;         /* [entries] pre-activation */
};

/* List the entries of some rows within one tile of latents.  Auxiliary entries are those less than
 * `half` below their threshold.
 *   codes       out  [rows * width] entries at most; groups, start and middle are filled too
 *   pre         in   [rows, width]  products with the encoder, without the bias
 *   bias        in   [width]
 *   threshold   in   [width]
 *   half        in   half the bandwidth, 0 or more
 *   first       in   number of the tile's first latent
 * An entry's value is pre + bias.  A NaN is never listed. */
void codes_scan(struct codes *codes, const float *pre, const float *bias,
                const float *threshold, float half, int32_t first, int64_t rows, int64_t width);

/* Reference implementation, for tests and benchmarks. */
void codes_scan_ref(struct codes *codes, const float *pre, const float *bias,
                    const float *threshold, float half, int32_t first, int64_t rows,
                    int64_t width);

/* List the entries of a Gated autoencoder.  With a = gain * pre + bias and g = pre + gate, an
 * active entry has a > threshold and g > 0, and its value is a.  An auxiliary entry has g >
 * floor (0 or more), and its value is g; an active latent can have one, too.  All members of
 * `lists` are [width].
 *   codes   out  [2 * rows * width] entries at most
 * The other arguments are those of codes_scan(). */
struct two_lists {
    const float *gain, *bias, *threshold, *gate, *floor;
};

void codes_scan_two(struct codes *codes, const float *pre, const struct two_lists *lists,
                    int32_t first, int64_t rows, int64_t width);
void codes_scan_two_ref(struct codes *codes, const float *pre, const struct two_lists *lists,
                        int32_t first, int64_t rows, int64_t width);

/* Concatenate, row by row, lists of the same rows over ascending ranges of latents.  It takes three
 * calls, of which threads can share the first and the last: codes_join_sizes() counts the entries
 * of groups first, ..., first + rows - 1; codes_join_places() turns the counts into start and
 * middle, continuing from the group before `first`; codes_join() copies the entries.
 *   parts   in  [count] lists, of which groups from, ..., from + rows - 1 are read */
void codes_join_sizes(struct codes *codes, int64_t first, int64_t rows,
                      const struct codes *parts, int64_t count, int64_t from);
void codes_join_places(struct codes *codes, int64_t first, int64_t rows);
void codes_join(struct codes *codes, int64_t first, int64_t rows,
                const struct codes *parts, int64_t count, int64_t from);

/* Group the entries by latent, with a counting sort.
 *   out     out  groups must be the number of latents
 *   moved   out  [entries] the numbers `extra` of the entries, in the new order
 *   extra   in   [entries] */
void codes_transpose(struct codes *out, float *moved, const struct codes *codes,
                     const float *extra);

#endif
