/* permute.h -- a random order of n things that nobody has to store.
 *
 * A permutation of [0, n) drawn from (seed, stream, key) and computed index by index, both
 * ways: a Feistel network on the smallest power of two not below n, entered again until
 * the result lies below n ("cycle walking": Black and Rogaway, "Ciphers with arbitrary
 * finite domains", CT-RSA 2002).  FORMATS.md, "Permutation", defines it to the bit.
 */
#ifndef PERMUTE_H
#define PERMUTE_H

#include <stdint.h>

enum { PERMUTE_ROUNDS = 24 };

/* One permutation; made by permute_make(), otherwise only read. */
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

/* Where does each index go?
 *   to    [count]  out  in [0, n); may be `from` itself
 *   from  [count]  in   in [0, n)
 * An index takes one pass through the network if n is a power of two, two on average at
 * worst (n just above one); many at once are several times cheaper than one by one. */
void permute_forward(int64_t *to, const int64_t *from, int64_t count,
                     const struct permute *permute);

/* Where does each index come from?  permute_inverse() of permute_forward() is the same
 * index again.  Shapes and cost as there. */
void permute_inverse(int64_t *from, const int64_t *to, int64_t count,
                     const struct permute *permute);

#endif
