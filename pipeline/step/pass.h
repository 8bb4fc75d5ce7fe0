/* pass.h -- passes over the latents, which keep the lists of a step small next to its parameters.
 *
 * When training starts half of all latents are active in a row, and lists of all entries would
 * take several times the memory of the parameters.  While lists would be that long a step takes
 * several passes.  Each pass lists some tiles of latents.  A step goes through its passes twice:
 * first to add what their entries write to the residuals; then, when the residuals are complete,
 * to list the entries again, find their gradients and move their latents.  The second sweep begins
 * with the pass whose lists are still in memory, so a step of one pass encodes once.
 *
 * Pass p of n has the tiles whose number leaves the remainder p when divided by n, so that every
 * rank has about as many.  Sums run pass after pass, so their bits depend on n; n follows from the
 * recipe, the shape and the density of the last batch alone, which a checkpoint holds.
 */
#ifndef PASS_H
#define PASS_H

#include "base/minmax.h"
#include "step/training.h"

struct pass {
    int64_t number, count;      /* pass `number` of `count` */
};

/* The largest lists that one pass over all latents processes, in entries, where those of a pass
 * may hold `capacity`.  Gated architectures, which may list a latent twice, have twice as many. */
int64_t pass_most_entries(const struct recipe *recipe, int64_t capacity);

/* How many passes the next step takes.  Architectures that keep k latents need the lists of all
 * latents at once: they take one. */
int64_t pass_count(const struct training *training);

/* Number of the first tile of the pass in a range of latents that begins with a tile. */
static inline int64_t pass_first_tile(struct pass pass, struct range latents)
{
    const int64_t tile = split_blocks(latents.first, LATENT_TILE);

    return tile + (pass.number - tile % pass.count + pass.count) % pass.count;
}

/* The latents of a pass in such a range are cut into pieces of `size` latents, which divides
 * LATENT_TILE.  The last pieces may be shorter, or empty. */
static inline int64_t pass_pieces(struct pass pass, struct range latents, int64_t size)
{
    const int64_t left = split_blocks(latents.end, LATENT_TILE) - pass_first_tile(pass, latents);

    return left > 0 ? split_blocks(left, pass.count) * (LATENT_TILE / size) : 0;
}

static inline struct range pass_piece(struct pass pass, struct range latents, int64_t size,
                                      int64_t number)
{
    const int64_t each = LATENT_TILE / size;
    const int64_t tile = pass_first_tile(pass, latents) + number / each * pass.count;
    const int64_t first = tile * LATENT_TILE + number % each * size;

    return (struct range){ min_int64(first, latents.end), min_int64(first + size, latents.end) };
}

#endif
