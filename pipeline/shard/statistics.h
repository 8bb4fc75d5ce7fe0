/* statistics.h -- sums over the rows of a stream, stored in its files so that readers need not
 * read the rows.
 *
 * A sum of floating-point numbers depends on the order of the additions.  So chunks are summed, and
 * their sums are added in the order of the chunks, whichever rank has them.
 */
#ifndef STATISTICS_H
#define STATISTICS_H

#include "base/split.h"
#include "kernels/values.h"
#include "shard/stream.h"

#include <mpi.h>

/* The number of rows, and which rows: `hash` is the sum modulo 2^64 of a hash of each row and its
 * origin, so it does not depend on their order. */
struct row_digest {
    int64_t  rows;
    uint64_t hash;
};

struct row_statistics {
    int64_t  rows;
    double   sum_squares;       /* of all values: rows * mean squared norm */
    double  *sum;               /* [width] */
    uint64_t hash;              /* as in row_digest */
};

/* Add rows `range` to the sums on rank 0 and to the hash on all ranks; the caller counts `rows`.
 * Every rank has a range of its own, which starts at a multiple of CHUNK_ROWS.  All chunks of a
 * call come after those of earlier calls.
 *   values   [range, width]   in the stream's store
 *   origins  [range]
 * Collective, but the status is this rank's own: E_NUMERIC if one of its values is not finite;
 * the message names `path`. */
enum status statistics_add(struct row_statistics *statistics, MPI_Comm comm,
                           struct stream stream, struct range range, const void *values,
                           const struct row_origin *origins, const char *path);

#endif
