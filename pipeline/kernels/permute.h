/* permute.h -- a random permutation of n things that need not be stored.
 *
 * A permutation of [0, n) is drawn from (seed, stream, key) and computed index by index, in both
 * directions.  It is a Feistel network on the smallest power of two that is n or more, applied
 * again until the result is below n ("cycle walking": Black and Rogaway, "Ciphers with arbitrary
 * finite domains", CT-RSA 2002).  FORMATS.md, "Permutation", defines it to the bit.
 */
#ifndef PERMUTE_H
#define PERMUTE_H

#include <stdint.h>

enum { PERMUTE_ROUNDS = 24 };

/* One permutation, made by permute_make(). */
struct permute {
    int64_t  n;
    int      low_bits;                  /* an index is high << low_bits | low */
    uint32_t high_mask, low_mask;
    uint32_t keys[PERMUTE_ROUNDS][3];
};

/* Draw permutation number `key` of a stream (an enum random_stream).
 * 1 <= n <= 2^62, 0 <= key < 2^59. */
void permute_make(struct permute *permute, int64_t n, uint64_t seed, uint32_t stream,
                  uint64_t key);

/* Compute where each index goes.
 *   to    [count]  out  in [0, n); may be `from` itself
 *   from  [count]  in   in [0, n)
 * An index takes one pass through the network if n is a power of two, and at worst two on
 * average (n just above a power of two).  One call for many indices is several times cheaper
 * than a call for each. */
void permute_forward(int64_t *to, const int64_t *from, int64_t count,
                     const struct permute *permute);

/* Compute where each index comes from: the inverse of permute_forward(), with the same shapes and
 * cost. */
void permute_inverse(int64_t *from, const int64_t *to, int64_t count,
                     const struct permute *permute);

#endif
