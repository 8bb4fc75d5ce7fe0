/* statistics.h -- what is known of the rows of a stream without reading them.
 *
 * Sums of floating-point numbers depend on their order, so they are taken chunk by chunk, in
 * the order of the chunks, whoever has them.
 */
#ifndef STATISTICS_H
#define STATISTICS_H

#include "base/split.h"
#include "kernels/values.h"
#include "shard/stream.h"

#include <mpi.h>

/* How many rows, and which: the hash is the sum modulo 2^64 of a hash of each row and its origin,
 * the same for the same rows in any order. */
struct row_digest {
    int64_t  rows;
    uint64_t hash;
};

struct row_statistics {
    int64_t  rows;
    double   sum_squares;       /* of all values: rows * mean squared norm */
    double  *sum;               /* [width] */
    uint64_t hash;              /* sum modulo 2^64 of a hash of each row and its origin: the
                                   same for the same rows in any order */
};

/* Add rows `range` to the sums on rank 0 and to the hash on all ranks; `rows` was counted by
 * the caller.  Every rank brings its own, which start at a multiple of CHUNK_ROWS; over all
 * calls chunks come in order.
 *   values   [range, width]   in the stream's store
 *   origins  [range]
 * Collective; but E_NUMERIC, if a value is not finite, is this rank's own finding: `path` is
 * the file that is named. */
enum status statistics_add(struct row_statistics *statistics, MPI_Comm comm,
                           struct stream stream, struct range range, const void *values,
                           const struct row_origin *origins, const char *path);

#endif
