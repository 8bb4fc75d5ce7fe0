#include "step/gradients.h"

void gradients_storage(struct gradients *gradients, const struct step_sizes *sizes,
                       struct storage *storage)
{
    const struct shape shape = sizes->needs.shape;
    const double kept = sizes->needs.kept;

    STORAGE_ENTRIES(storage, gradients->dots, sizes->entries, kept);
    lists_codes_storage(&gradients->latents, shape.latents, sizes->entries, kept, storage);
    STORAGE_ENTRIES(storage, gradients->gradient, sizes->entries, kept);
    STORAGE(storage, gradients->along, shape.latents);
    STORAGE(storage, gradients->input_sum, sizes->own_latents);
    for (int v = 0; v < VECTORS; v++)
        STORAGE(storage, gradients->vector[v], sizes->own_latents);
    STORAGE(storage, gradients->in_window, sizes->own_latents);
    STORAGE(storage, gradients->tile_sums, sizes->own_tiles * shape.inputs);
    STORAGE(storage, gradients->encoder_sums, shape.inputs);
    STORAGE(storage, gradients->decoder_bias, shape.outputs);
}
