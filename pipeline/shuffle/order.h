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
    int64_t  bucket;    /* rows of a bucket; a row stays in its own.  `rows`: one bucket, a row
                           may go anywhere; 1: every row keeps its place */
    uint64_t seed;
};

/* Compute the output rows of input rows `range`.
 *   places  [range]  out */
void order_places(int64_t *places, struct range range, const struct order *order);

#endif
