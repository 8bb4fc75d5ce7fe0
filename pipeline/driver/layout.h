/* layout.h -- how many ranks and threads each stage gets.
 *
 * The results do not depend on it (law 1), only the time does.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "driver/stage.h"
#include "lm/config.h"
#include "suite/suite.h"

/* What a stage, or one of its tasks, runs on. */
struct nodes {
    int     count;
    int     cores;      /* of each */
    int64_t memory;     /* of each, bytes */
};

struct layout {
    int     ranks;      /* of each node */
    int     threads;    /* of each rank */
    int64_t bytes;      /* of memory that a rank needs, by an estimate */
    int64_t node_bytes; /* of memory that the ranks of a node share */
};

/* This machine, as far as this process may use it; what a task gets from the suite's resources:
 * the stages whose ranks share one stream get all nodes, the others one. */
struct nodes layout_nodes_here(void);
struct nodes layout_nodes_of_task(enum stage stage, const struct suite *suite);

/* The layout of a stage on such nodes: at most as many ranks as their memory allows, by an
 * estimate; the stage itself refuses if it does not fit. */
struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, struct nodes nodes);

#endif
