#include "step/architecture.h"

#include <string.h>

const struct architecture *architecture_find(const char *name)
{
    static const struct architecture *const ALL[] = {
        &JUMPRELU, &GATED, &TOPK, &BATCH_TOPK, &MATRYOSHKA, &RELU_L1,
    };

    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        if (strcmp(name, ALL[i]->name) == 0)
            return ALL[i];
    return NULL;
}
