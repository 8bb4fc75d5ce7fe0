/* layout.h -- how many ranks and threads each stage gets on one machine.
 *
 * The results do not depend on it (law 1), only the time does.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include "driver/stage.h"
#include "lm/config.h"
#include "suite/suite.h"

struct layout {
    int ranks;
    int threads;    /* of each rank */
    int64_t bytes;      /* of memory that a rank needs, by an estimate */
    int64_t node_bytes; /* of memory that the ranks of a node share */
};

/* The layout of a stage on `cores` cores and `memory` bytes: at most as many ranks as their
 * memory allows, by an estimate; the stage itself refuses if it does not fit. */
struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, int cores, int64_t memory);

#endif
