#include "step/gradients.h"
#include "base/allocate.h"

#include <stdlib.h>

void gradients_make(struct gradients *gradients, const struct step_sizes *sizes)
{
    const struct shape shape = sizes->needs.shape;

    *gradients = (struct gradients){
        .pass = { -1, 1 },
        .dots = allocate(sizes->entries, sizeof(float)),
        .gradient = allocate(sizes->entries, sizeof(float)),
        .along = allocate(shape.latents, sizeof(double)),
        .input_sum = allocate(sizes->own_latents, sizeof(double)),
        .in_window = allocate(sizes->own_latents, sizeof(int32_t)),
        .tile_sums = allocate(sizes->own_tiles * shape.inputs, sizeof(float)),
        .encoder_sums = allocate(shape.inputs, sizeof(double)),
        .decoder_bias = allocate(shape.outputs, sizeof(float)),
        .factor = 1,
    };
    lists_make_codes(&gradients->latents, shape.latents, sizes->entries);
    for (int v = 0; v < VECTORS; v++)
        gradients->vector[v] = allocate(sizes->own_latents, sizeof(float));
}

void gradients_free(struct gradients *gradients)
{
    for (int v = 0; v < VECTORS; v++)
        free(gradients->vector[v]);
    lists_free_codes(&gradients->latents);
    free(gradients->decoder_bias);
    free(gradients->encoder_sums);
    free(gradients->tile_sums);
    free(gradients->in_window);
    free(gradients->input_sum);
    free(gradients->along);
    free(gradients->gradient);
    free(gradients->dots);
    *gradients = (struct gradients){0};
}

int64_t gradients_bytes(const struct step_sizes *sizes)
{
    const struct shape shape = sizes->needs.shape;
    const double kept = sizes->needs.kept;
    const int64_t floats = (1 + VECTORS) * sizes->own_latents + sizes->own_tiles * shape.inputs
                           + shape.outputs;
    const int64_t doubles = shape.latents + sizes->own_latents + shape.inputs;

    return step_starts_bytes(shape.latents) + step_entries_bytes(kept)
           + (int64_t)(kept * 2 * sizeof(float)) + floats * (int64_t)sizeof(float)
           + doubles * (int64_t)sizeof(double);
}
