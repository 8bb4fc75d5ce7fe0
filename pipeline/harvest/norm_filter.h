/* norm_filter.h -- drop the rows of a shard that are far longer than the others.
 *
 * A few tokens have rows many times as long as all others, and a squared error weighs those most.
 * dictionary_learning's max_activation_norm_multiple (pull request 52) drops rows longer than a
 * multiple of the median norm; it finds fewer dead latents and no jumps of the loss.  There the
 * median is that of a batch.  Here it is that of the stream's rows in the shard, so it depends
 * neither on the ranks nor on which shards are made together.  A row that is too long in one
 * stream is dropped from all streams of the shard: these must hold the same rows in the same
 * order, for transcoders and for the shuffle.
 */
#ifndef NORM_FILTER_H
#define NORM_FILTER_H

#include "shard/identity.h"
#include "shard/stream.h"

/* A shard that is written but not yet published: FOLDER/SITE.LL.h5 for each stream. */
struct norm_filter {
    MPI_Comm             comm;
    const char          *folder;
    const struct stream *streams;   /* [count] */
    int                  count;
    double               most;      /* longest norm that stays, in medians */
    const struct identity *identity;    /* of the folder */
};

/* Bytes that norm_filter_shard() allocates on each rank for a shard of `rows` rows.  Local. */
int64_t norm_filter_bytes(const struct stream *streams, int count, int64_t rows);

/* Drop the rows and note in each file how many they are and what its limit was.
 *   dropped  out
 * Every file is read once; if there are rows to drop, it is read and written once more.
 * Collective.  E_IO, E_SPACE, E_FORMAT; E_USAGE if no row would be left. */
enum status norm_filter_shard(const struct norm_filter *filter, int64_t *dropped);

#endif
