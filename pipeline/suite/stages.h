/* stages.h -- the stages of a run, in their order, and what they are planned for.
 */
#ifndef STAGES_H
#define STAGES_H

#include "suite/tasks.h"

struct lm_config;

/* What a stage runs on, or is planned for: the figures by which it decides what it holds. */
struct stage_host {
    const struct suite     *suite;
    const struct lm_config *model;
    const struct tasks     *tasks;
    int     nodes;
    int     ranks;          /* of each node */
    int     threads;        /* of each rank */
    int64_t memory;         /* bytes that the ranks of a node may use together */
};

/* What a stage allocates: bytes of each rank, and what the ranks of a node have in common. */
struct stage_memory {
    int64_t rank, node;
};

/* All that a node needs, libraries included. */
int64_t stages_node_bytes(const struct stage_host *host, struct stage_memory need);

/* Of two things that a stage does one after the other, what the one takes that takes more. */
struct stage_memory stages_larger(const struct stage_host *host, struct stage_memory a,
                                  struct stage_memory b);

#endif
