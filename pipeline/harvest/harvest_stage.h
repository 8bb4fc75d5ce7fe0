/* harvest_stage.h -- what harvest needs and makes, for the stage, for `plan`, and for stages that
 * read its rows.  Everything here is Local. */
#ifndef HARVEST_STAGE_H
#define HARVEST_STAGE_H

#include "suite/stages.h"

/* Bytes of one rank: of reading the model, or then of the forward pass and the rows on their way
 * to disk, whichever is more.  Rank 0 has more of the latter. */
int64_t harvest_rank_bytes(const struct stage_host *host, int rank);

/* Bytes of any other rank; a node has the model once, and perhaps rank 0. */
struct stage_memory harvest_bytes(const struct stage_host *host);

/* Bytes on disk of the rows of a tap, with their origins; and of their values before they are
 * compressed. */
double harvest_stream_bytes(const struct stage_host *host, const struct stage_amounts *amounts,
                            struct tap tap);
double harvest_value_bytes(const struct stage_host *host, double rows, struct tap tap);

/* Flops of one sequence's forward pass, to the last site that is asked for. */
double harvest_work(const struct stage_host *host);

#endif
