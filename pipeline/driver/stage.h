/* stage.h -- the traits of a stage, found by its number. */
#ifndef STAGE_H
#define STAGE_H

#include "suite/stages.h"

const struct stage_traits *stage_traits(enum stage stage);

#endif
