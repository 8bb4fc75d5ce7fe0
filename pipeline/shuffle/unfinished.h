/* unfinished.h -- what a shuffle under way keeps on disk about itself.
 *
 * FORMATS.md, "Shuffle under way".  A run that is killed leaves FOLDER.part; the plan in it
 * tells the next run what the files beside it are.
 */
#ifndef UNFINISHED_H
#define UNFINISHED_H

#include "shuffle/shuffle_plan.h"

/* All int64, in the order in which they are stored. */
struct unfinished {
    int64_t       hash;         /* statistics.hash of the input */
    int64_t       width, store; /* of its rows */
    int64_t       seed, bucket; /* of the order */
    struct shuffle_plan passes;
};

enum { UNFINISHED_NUMBERS = sizeof(struct unfinished) / sizeof(int64_t) };

/* The plan in a file, or zeros if there is none that can be read.  Local. */
struct unfinished unfinished_read(const char *path);

/* E_IO, E_SPACE.  Local. */
enum status unfinished_write(const char *path, const struct unfinished *plan);

/* Is what the earlier plan made a part of what this one wants: the same rows in the same
 * order, in shards of the same length? */
bool unfinished_goes_on(const struct unfinished *plan, const struct unfinished *earlier);

#endif
