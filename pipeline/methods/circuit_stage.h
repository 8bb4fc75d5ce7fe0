/* circuit_stage.h -- what the stage circuit is known to need, before it runs.  Local. */
#ifndef CIRCUIT_STAGE_H
#define CIRCUIT_STAGE_H

#include "methods/methods.h"
#include "suite/stages.h"

/* Bytes of a rank, and of a node, for prompts of this shape. */
struct stage_memory circuit_stage_memory(const struct suite *suite, const struct lm_config *config,
                                         struct circuit_shape shape);

/* Where prompts come from must be said in one way, or not at all, and the names of tasks must
 * differ.  E_USAGE. */
enum status circuit_stage_check(const struct suite *suite);

#endif
