/* turns.h -- latents take turns, so that the lists of a step stay small beside its parameters.
 *
 * When training starts half of all latents are active in a row, and lists of all entries would
 * take several times the memory of the parameters.  While they are so long a step goes through
 * the latents twice.  In each turn some tiles are encoded and listed: first to add what they write
 * to the residuals, and, when these are complete, once more for their gradients, with which they
 * are moved at once.  The lists of the last turn serve for both, and so do those of a single one,
 * which is enough in most of a training; the other latents' product is made twice.
 *
 * Where entries displace each other the lists of all latents are needed at once.  They are long
 * while AuxK takes many dead latents, and memory is found elsewhere: residuals are made anew where
 * they are used (residual.h).  While lists are long for either reason no batch is read ahead.
 *
 * In turn number t of n come the tiles whose number leaves the remainder t, which are about as
 * many on every rank (where there are fewer of them than ranks, some wait for the others to
 * encode).  Sums run turn after turn, so their bits depend on n; it is found from the
 * recipe, the shape and the density of the last batch alone, which a checkpoint holds.
 */
#ifndef TURNS_H
#define TURNS_H

#include "step/workspace.h"

/* The entries that a turn's lists may hold: what takes 1/40 of the memory of the parameters and
 * their second moments, but no fewer than a small dictionary needs. */
int64_t turn_entries(struct shape shape);

/* What lists of all latents at once may hold where a turn's may hold so many.  More, where entries
 * aside have no residual that is kept: twice as many for architectures that list a row's latents
 * twice, a third more for those that keep a number. */
double entries_at_once(const struct recipe *recipe, int64_t turn_entries);

/* What the latter keep of a batch: of dead latents as many as AuxK takes, or half of them. */
double entries_kept(const struct recipe *recipe, int64_t dead);

/* Would the lists of all latents at once hold more, in the step that comes? */
bool lists_are_long(const struct training *training);

/* How many turns it takes. */
int64_t turn_count(const struct training *training);

/* A range of latents that begins with a tile has, in this turn, so many pieces of `size` latents,
 * which divides LATENT_TILE.  The last ones may be shorter, or empty.  `ith_piece` is one. */
static inline int64_t first_tile_of_turn(const struct workspace *w, struct range latents)
{
    const int64_t tile = split_blocks(latents.first, LATENT_TILE), turns = w->turns;

    return tile + (w->turn - tile % turns + turns) % turns;
}

static inline int64_t turn_pieces(const struct workspace *w, struct range latents, int64_t size)
{
    const int64_t first = first_tile_of_turn(w, latents);
    const int64_t left = split_blocks(latents.end, LATENT_TILE) - first;

    return left > 0 ? split_blocks(left, w->turns) * (LATENT_TILE / size) : 0;
}

static inline struct range turn_piece(const struct workspace *w, struct range latents,
                                      int64_t size, int64_t number)
{
    const int64_t each = LATENT_TILE / size;
    const int64_t tile = first_tile_of_turn(w, latents) + number / each * w->turns;
    const int64_t first = tile * LATENT_TILE + number % each * size;
    const int64_t end = first + size;

    return (struct range){ first < latents.end ? first : latents.end,
                           end < latents.end ? end : latents.end };
}

#endif
