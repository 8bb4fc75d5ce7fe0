/* norm_filter.h -- drop the rows of a shard whose norm stands out.
 *
 * A few tokens make rows many times as long as all others, which a squared error takes for the
 * most important ones; dictionary_learning's max_activation_norm_multiple (pull request 52) drops
 * rows longer than so many medians and finds fewer dead latents and no jumps of the loss.  There
 * the median is that of a batch; here it is that of the stream's rows in the shard, so that it
 * depends neither on ranks nor on which shards are made together.  A row that stands out in one
 * stream is dropped from all streams of the shard: they go on holding the same rows in the same
 * order, as transcoders and the shuffle need it.
 */
#ifndef NORM_FILTER_H
#define NORM_FILTER_H

#include "shard/stream.h"

/* A shard that is written but not yet published: FOLDER/SITE.LL.h5 for each stream. */
struct norm_filter {
    MPI_Comm             comm;
    const char          *folder;
    const struct stream *streams;   /* [count] */
    int                  count;
    double               most;      /* medians that a norm may reach */
    const char          *suite;     /* text of the effective suite */
};

/* Bytes that norm_filter_shard() allocates on each rank for a shard of at most `rows` rows.  Local. */
int64_t norm_filter_bytes(const struct stream *streams, int count, int64_t rows);

/* Drop the rows and note in each file how many they are and what its limit was.
 *   dropped  out
 * Every file is read once, and once more and written anew if there is something to drop.
 * Collective.  E_IO, E_SPACE, E_FORMAT; E_USAGE if no row would be left. */
enum status norm_filter_shard(const struct norm_filter *sieve, int64_t *dropped);

#endif
