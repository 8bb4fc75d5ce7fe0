/* order.h -- the order that shuffle gives to the rows of a stream.
 *
 * FORMATS.md, "Permutation".  Streams of the same length have the same order, so their
 * rows stay aligned.
 */
#ifndef ORDER_H
#define ORDER_H

#include "base/split.h"

#include <stdint.h>

struct order {
    int64_t  rows;      /* of the stream */
    int64_t  bucket;    /* rows move within consecutive buckets of so many; `rows`:
                           anywhere, 1: nowhere */
    uint64_t seed;
};

/* Where do input rows `range` go?
 *   places  [range]  out  their rows in the output */
void order_places(int64_t *places, struct range range, const struct order *order);

#endif
