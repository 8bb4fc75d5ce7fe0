/* window.h -- the last pass of a shuffle: rows into the window they belong to, and the window
 * into the output's shards. */
#ifndef WINDOW_H
#define WINDOW_H

#include "shuffle/shuffling.h"

/* Fill windows with the rows of a source, while those before are being written; and have them
 * written: their parts of each shard that is not complete.  Returns before that is done, but
 * tells what became of those before. */

/* One window that all ranks hold, or at once the own ones of all.  `first` is the first of them.
 * Collective. */
enum status window_exchange(struct shuffling *s, struct source *source, int64_t first);

/* A window of this rank's own, from a source that holds all its rows and no others.  Local. */
enum status window_gather(struct shuffling *s, struct source *source, int64_t window);

#endif
