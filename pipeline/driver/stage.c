#include "driver/stage.h"

#define STAGES_POINTER(stage, ...) &stage##_STAGE,

static const struct stage_traits *const TRAITS[] = { STAGES_TABLE(STAGES_POINTER) };

const struct stage_traits *stage_traits(enum stage stage)
{
    return TRAITS[stage];
}
