/* harvest_need.h -- what memory harvest needs, for the stage and for `plan`.  Local. */
#ifndef HARVEST_NEED_H
#define HARVEST_NEED_H

#include "suite/stages.h"

/* Bytes of one rank: of reading the model, or then of the forward pass and the rows on their way
 * to disk, whichever is more.  Rank 0 has more of the latter. */
int64_t harvest_rank_bytes(const struct stage_host *host, int rank);

/* Bytes of any other rank; a node has the model once, and perhaps rank 0. */
struct stage_memory harvest_bytes(const struct stage_host *host);

/* Flops of one sequence's forward pass, to the last site that is asked for. */
double harvest_work(const struct stage_host *host);

#endif
