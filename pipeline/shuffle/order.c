#include "shuffle/order.h"
#include "base/minmax.h"
#include "base/random.h"
#include "kernels/permute.h"

void order_places(int64_t *places, struct range range, const struct order *order)
{
    if (order->bucket == 1) {
        for (int64_t i = range.first; i < range.end; i++)
            places[i - range.first] = i;
        return;
    }
    /* Bucket by bucket: each has a permutation of its own, whose key is its number. */
    for (int64_t at = range.first; at < range.end; ) {
        const int64_t key = at / order->bucket;
        const struct range bucket = split_block(order->rows, order->bucket, key);
        const int64_t end = min_int64(bucket.end, range.end);
        struct permute permute;

        permute_make(&permute, range_length(bucket), order->seed, RANDOM_SHUFFLE,
                     (uint64_t)key);
        for (int64_t i = at; i < end; i++)
            places[i - range.first] = i - bucket.first;
        permute_forward(places + (at - range.first), places + (at - range.first), end - at,
                        &permute);
        for (int64_t i = at; i < end; i++)
            places[i - range.first] += bucket.first;
        at = end;
    }
}
