/* taps.h -- run the model over a block of sequences and give the rows of every stream to the spool.
 *
 * One forward pass serves all streams: it goes from site to site.  At a site that is harvested, the
 * rows of text are copied, rounded to the shard's type and handed to the spool, which writes them
 * while the forward pass continues.  Rows of BOS, EOS and padding are left out.
 */
#ifndef TAPS_H
#define TAPS_H

#include "harvest/spool.h"
#include "lm/forward.h"
#include "shard/store.h"
#include "shard/tokens.h"

struct taps {
    struct stream        *streams;  /* [count] in the order in which the model comes to them */
    int                   count;
    struct special_tokens special;
    struct forward        forward;
    struct spool          spool;    /* to be opened and closed by the owner, shard by shard */
    int32_t              *kept;     /* [rows of a block] numbers of the rows that are stored */
};

/* Sequences of a shard. */
struct fed {
    const int32_t                *ids;      /* [count, context] */
    const struct sequence_origin *origins;  /* [count] */
    int64_t                       count;    /* perhaps 0 */
};

/* List the streams of these taps.  taps_free() frees them.  Local, as all here but taps_make(). */
void taps_list(struct taps *taps, const struct tap *list, int count,
               const struct lm_config *config, enum store store);

/* Bytes that taps_make() allocates for blocks of `block` sequences on rank number `rank` of `size`
 * with `threads` threads, and that writing takes. */
int64_t taps_bytes(const struct taps *taps, const struct lm_config *config,
                   enum precision precision, int64_t block, int64_t context, int rank, int size,
                   int threads);

/* Allocate all buffers and start the spool.  `weights` must outlive it.  taps_free() accepts taps
 * that were only listed, and empty ones.  Collective. */
void taps_make(struct taps *taps, MPI_Comm comm, const struct weights *weights,
               struct special_tokens special, int64_t block, int64_t context);
void taps_free(struct taps *taps);

/* Feed a block to the model.  As forward_start(). */
enum status taps_start(struct taps *taps, struct fed block);

/* Run the model over the block that was started and give the rows of every stream to the spool.
 *   rows  of the shard that the block makes
 *   end   rows of the shard that all ranks have made after this block */
void taps_run(struct taps *taps, struct fed block, struct range rows, int64_t end);

#endif
