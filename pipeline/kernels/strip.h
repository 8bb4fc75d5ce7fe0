/* strip.h -- some consecutive queries of a head, and the weights of the keys that they see. */
#ifndef STRIP_H
#define STRIP_H

#include "kernels/attention_shape.h"

struct strip {
    int64_t from, queries;      /* tokens of the sequence */
    int64_t oldest, keys;       /* tokens that one of the queries sees, rounded to blocks */
};

/* The strip at token `from`; its keys begin and end at multiples of `step`. */
struct strip strip_at(const struct attention *shape, int64_t from, int64_t step);

/* Turn the scores of all queries of a strip into weights e^(score - largest).
 *   sum    [queries]        out: of each query's weights, by which the caller divides
 *   score  [queries, keys]  in: q . k; out: the weights, 0 of a key that the query does not see
 * If a query's largest score is NaN or infinite, its row becomes NaN. */
void strip_weigh(float *sum, float *score, struct strip strip, const struct attention *shape);

#endif
