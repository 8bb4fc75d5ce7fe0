/* partition.h -- a pass before the last of a shuffle: rows to the groups of windows they belong
 * to, through files. */
#ifndef PARTITION_H
#define PARTITION_H

#include "shuffle/shuffling.h"

/* Some windows to be dealt to groups of `each`, through files in a folder. */
struct partition {
    char         folder[PATH_LENGTH];
    struct range windows;
    int64_t      each, groups, units;
};

/* Deal the rows of a source, each rank its own units, but those whose files are there.
 * Collective. */
enum status partition_run(struct shuffling *s, struct source *source,
                        const struct partition *dealing);

#endif
