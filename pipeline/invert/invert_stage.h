/* invert_stage.h -- what the stage invert is known to need, before it runs.  Local. */
#ifndef INVERT_STAGE_H
#define INVERT_STAGE_H

#include "invert/inversions.h"

/* Refuse what a file for inversions lacks, whatever the model.  E_USAGE. */
enum status invert_stage_check(const struct suite *suite);

#endif
