#include "kernels/permute.h"
#include "base/random.h"
#include "kernels/clones.h"

#include <assert.h>
#include <stdbool.h>

enum { TOGETHER = 256 };    /* indices that are computed together */

void permute_make(struct permute *permute, int64_t n, uint64_t seed, uint32_t stream,
                  uint64_t key)
{
    uint32_t words[4];
    int bits = 0;

    assert(1 <= n && n <= (int64_t)1 << 62 && key < (uint64_t)1 << 59);
    while ((int64_t)1 << bits < n)
        bits++;
    permute->n = n;
    permute->low_bits = bits - bits / 2;
    permute->high_mask = (1u << bits / 2) - 1;
    permute->low_mask = (1u << permute->low_bits) - 1;
    for (int r = 0; r < PERMUTE_ROUNDS; r++) {
        random_words(words, seed, stream, key * PERMUTE_ROUNDS + (uint64_t)r);
        for (int k = 0; k < 3; k++)
            permute->keys[r][k] = words[k];
    }
}

/* The random function of a round, of one half of an index and the round's keys; returns 32 bits.
 * Its multipliers are those of MurmurHash3's finaliser (Appleby). */
static inline uint32_t scramble(uint32_t x, const uint32_t key[3])
{
    x = (x ^ key[0]) * 0x85EBCA6Bu;
    x = ((x ^ x >> 15) + key[1]) * 0xC2B2AE35u;
    x = ((x ^ x >> 13) + key[2]) * 0x85EBCA6Bu;
    return x ^ x >> 16;
}

/* Add to one half of every index a function of the other half, modulo a power of two. (Exclusive
 * or would give only even permutations.) */
CLONES static void add_rounds(uint32_t *restrict high, uint32_t *restrict low, int count,
                              const struct permute *permute)
{
    for (int r = 0; r < PERMUTE_ROUNDS; r += 2) {
        const uint32_t *even = permute->keys[r], *odd = permute->keys[r + 1];

        for (int i = 0; i < count; i++)
            high[i] = (high[i] + scramble(low[i], even)) & permute->high_mask;
        for (int i = 0; i < count; i++)
            low[i] = (low[i] + scramble(high[i], odd)) & permute->low_mask;
    }
}

/* The inverse. */
CLONES static void subtract_rounds(uint32_t *restrict high, uint32_t *restrict low, int count,
                                   const struct permute *permute)
{
    for (int r = PERMUTE_ROUNDS - 2; r >= 0; r -= 2) {
        const uint32_t *even = permute->keys[r], *odd = permute->keys[r + 1];

        for (int i = 0; i < count; i++)
            low[i] = (low[i] - scramble(high[i], odd)) & permute->low_mask;
        for (int i = 0; i < count; i++)
            high[i] = (high[i] - scramble(low[i], even)) & permute->high_mask;
    }
}

/* Apply the network to up to TOGETHER indices, and again to those that are not below n yet. */
static void walk(int64_t *out, const int64_t *in, int count, const struct permute *permute,
                 bool forward)
{
    uint32_t high[TOGETHER], low[TOGETHER];
    int place[TOGETHER];

    for (int i = 0; i < count; i++) {
        high[i] = (uint32_t)(in[i] >> permute->low_bits);
        low[i] = (uint32_t)in[i] & permute->low_mask;
        place[i] = i;
    }
    while (count > 0) {
        int left = 0;

        (forward ? add_rounds : subtract_rounds)(high, low, count, permute);
        for (int i = 0; i < count; i++) {
            const int64_t index = (int64_t)high[i] << permute->low_bits | (int64_t)low[i];

            out[place[i]] = index;
            high[left] = high[i];
            low[left] = low[i];
            place[left] = place[i];
            left += index >= permute->n;
        }
        count = left;
    }
}

void permute_forward(int64_t *to, const int64_t *from, int64_t count,
                     const struct permute *permute)
{
    for (int64_t i = 0; i < count; i += TOGETHER)
        walk(to + i, from + i, (int)(count - i < TOGETHER ? count - i : TOGETHER), permute, true);
}

void permute_inverse(int64_t *from, const int64_t *to, int64_t count,
                     const struct permute *permute)
{
    for (int64_t i = 0; i < count; i += TOGETHER)
        walk(from + i, to + i, (int)(count - i < TOGETHER ? count - i : TOGETHER), permute, false);
}
