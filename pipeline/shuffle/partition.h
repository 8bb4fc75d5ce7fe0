/* partition.h -- a partition pass of a shuffle: rows are sorted, run by run, by the group of
 * windows they go to, and written to spill files. */
#ifndef PARTITION_H
#define PARTITION_H

#include "shuffle/shuffle_state.h"

/* How the rows of some windows are divided among groups of windows, in a folder of spill files. */
struct partition {
    char         folder[PATH_LENGTH];
    struct range windows;
    int64_t      group_windows; /* windows of a group */
    int64_t      groups;
    int64_t      runs;          /* the source is cut into runs; each becomes a spill file */
};

/* Write the spill files of a source that do not exist yet.  Each rank takes some of the runs.
 * Collective. */
enum status partition_run(struct shuffle_state *s, struct row_source *source,
                          const struct partition *partition);

#endif
