/* intervene_stage.h -- what the stage intervene is known to need, before it runs.  Local. */
#ifndef INTERVENE_STAGE_H
#define INTERVENE_STAGE_H

#include "intervene/interventions.h"
#include "suite/stages.h"

/* Bytes of a rank with `threads` threads, and of a node. */
struct stage_memory intervene_stage_memory(const struct suite *suite,
                                           const struct lm_config *config, int threads);

/* Models are in float32, and the names of tasks must differ.  E_USAGE. */
enum status intervene_stage_check(const struct suite *suite);

#endif
