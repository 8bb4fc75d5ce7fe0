/* window.h -- the last pass of a shuffle: fill windows with their rows, and write them to the
 * output's shards. */
#ifndef WINDOW_H
#define WINDOW_H

#include "shuffle/shuffle_state.h"

/* Both functions fill a window from a source while the writer still writes the window before,
 * and then hand it to the writer, which skips shards that are complete.  They return before the
 * window is written; the status tells of windows before. */

/* Fill window `first`, which all ranks share; or, if each rank has one window of its own
 * (SHUFFLE_OWN_ONE_PASS), windows first, first + 1, ... of ranks 0, 1, ...  Collective. */
enum status window_exchange(struct shuffle_state *s, struct row_source *source, int64_t first);

/* Fill a window of this rank's own from a source that holds exactly its rows.  Local. */
enum status window_gather(struct shuffle_state *s, struct row_source *source, int64_t window);

#endif
