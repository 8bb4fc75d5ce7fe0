#include "sae/turns.h"
#include "sae/architecture.h"

#include <math.h>

/* Bytes of an entry: in the lists by row and by latent, with a dot product and a gradient. */
enum { ENTRY_BYTES = 24 };

int64_t turn_entries(struct shape shape)
{
    const int64_t parameters = (int64_t)shape.latents * (shape.inputs + shape.outputs);
    const int64_t entries = 2 * parameters * (int64_t)sizeof(float) / 40 / ENTRY_BYTES;

    return entries > 1 << 19 ? entries : 1 << 19;
}

int64_t entries_at_once(const struct recipe *recipe, int64_t turn_entries)
{
    return (recipe->architecture->aside == ASIDE_ROW ? 2 : 1) * turn_entries;
}

int64_t turn_count(const struct training *training)
{
    const int64_t tiles = split_blocks(training->latents, LATENT_TILE);
    const double of_tile = training->density * (double)(training->recipe.batch * LATENT_TILE);
    const double most = floor((double)training->listable / of_tile);    /* tiles a turn */

    if (training->recipe.architecture->select != NULL
        || of_tile * (double)tiles <= (double)entries_at_once(&training->recipe,
                                                              training->listable))
        return 1;
    return most > 1 ? split_blocks(tiles, (int64_t)most) : tiles;
}
