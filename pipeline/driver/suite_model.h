/* suite_model.h -- the shape of a suite's model, whether or not its checkpoint is here.
 *
 * To count tasks and bytes the shape is enough.  A suite that is planned where the
 * checkpoint is not yet (or a suite for models that one may not pass on) names a folder that
 * has its config.json.
 */
#ifndef SUITE_MODEL_H
#define SUITE_MODEL_H

#include "lm/config.h"
#include "suite/suite.h"

/* From model.path, or if no config.json is there, from model.config.  Local.  As
 * config_read(). */
enum status suite_model_read(struct lm_config *model, const struct suite *suite);

#endif
