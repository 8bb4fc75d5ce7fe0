#include "step/architecture.h"

const struct architecture *architecture_of(enum architecture_id id)
{
    static const struct architecture *const ALL[] = {
#define ARCHITECTURE(id, name, meaning, ...) [ARCHITECTURE_##id] = &id,
#include "suite/architectures.def"
    };

    return ALL[id];
}
