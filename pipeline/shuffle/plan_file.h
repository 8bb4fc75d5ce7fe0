/* plan_file.h -- plan.h5, the plan of a shuffle that is not complete.
 *
 * FORMATS.md, "Shuffle in progress".  A run that is killed leaves FOLDER.part.  The plan in it
 * tells the next run what the other files there are.
 */
#ifndef PLAN_FILE_H
#define PLAN_FILE_H

#include "shuffle/shuffle_plan.h"

/* All int64, in the order in which they are stored. */
struct plan_file {
    int64_t             hash;           /* statistics.hash of the input */
    int64_t             width, store;   /* of its rows */
    int64_t             seed, bucket;   /* of the order */
    struct shuffle_plan plan;
};

enum { PLAN_FILE_NUMBERS = sizeof(struct plan_file) / sizeof(int64_t) };

/* The content of a file; zeros if it is missing or cannot be read.  Local. */
struct plan_file plan_file_read(const char *path);

/* E_IO, E_SPACE.  Local. */
enum status plan_file_write(const char *path, const struct plan_file *content);

/* Can what an earlier run wrote be used now?  It can if the rows, their order and the length of
 * the output shards are the same. */
bool plan_file_matches(const struct plan_file *now, const struct plan_file *earlier);

#endif
