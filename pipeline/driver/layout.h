/* layout.h -- how many ranks and threads each stage gets.
 *
 * The results do not depend on it (law 1), only the time does.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "lm/config.h"
#include "suite/stages.h"

/* What a stage, or one of its tasks, runs on. */
struct nodes {
    int     count;
    int     cores;      /* of each */
    int64_t memory;     /* of each, bytes */
    int64_t shared;     /* of it, bytes that ranks may share (/dev/shm); 0: not known */
};

struct layout {
    int     ranks;      /* of each node */
    int     threads;    /* of each rank */
    int64_t bytes;      /* of memory that a rank needs, as the stage says it */
    int64_t node_bytes; /* of memory that the ranks of a node share */
};

/* This machine, as far as this process may use it; what a task gets from the suite's resources:
 * the stages whose ranks share one stream get all nodes, the others one. */
struct nodes layout_nodes_here(void);
struct nodes layout_nodes_of_task(enum stage stage, const struct suite *suite);

/* The host of a stage on such nodes: at most as many ranks as their memory allows, by the stage's
 * own figure.  If one rank does not fit, the stage refuses. */
struct stage_host layout_host(enum stage stage, const struct suite *suite,
                              const struct lm_config *model, const struct tasks *tasks,
                              struct nodes nodes);

/* The same in short, for all of a suite's tasks. */
struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, struct nodes nodes);

#endif
