#include "step/turns.h"
#include "step/architecture.h"

#include <math.h>

/* Bytes of an entry: in the lists by row and by latent, with a dot product and a gradient. */
enum { ENTRY_BYTES = 24 };

int64_t turn_entries(struct shape shape)
{
    const int64_t parameters = (int64_t)shape.latents * (shape.inputs + shape.outputs);
    const int64_t entries = 2 * parameters * (int64_t)sizeof(float) / 40 / ENTRY_BYTES;

    return entries > 1 << 19 ? entries : 1 << 19;
}

double entries_at_once(const struct recipe *recipe, int64_t turn_entries)
{
    if (recipe->architecture->traits->keeps_k)
        return (double)turn_entries * 4 / 3;
    return (double)turn_entries * (recipe->architecture->aside == ASIDE_ROW ? 2 : 1);
}

double entries_kept(const struct recipe *recipe, int64_t dead)
{
    const double half = (double)dead / 2, most = (double)recipe->train.auxk_latents;
    const double aside = !has_auxk(recipe) ? 0 : half < most ? half : most;

    return (recipe->target_l0 + aside) * (double)recipe->train.batch;
}

bool lists_are_long(const struct training *training)
{
    const struct recipe *recipe = &training->recipe;
    const double all = training->density * (double)(recipe->train.batch * training->latents);
    const double entries = recipe->architecture->traits->keeps_k
        ? entries_kept(recipe, training_dead(training)) : all;

    return entries > entries_at_once(recipe, training->listable);
}

int64_t turn_count(const struct training *training)
{
    const int64_t tiles = split_blocks(training->latents, LATENT_TILE);
    const double of_tile = training->density * (double)(training->recipe.train.batch * LATENT_TILE);
    const double most = floor((double)training->listable / of_tile);    /* tiles a turn */

    if (training->recipe.architecture->traits->keeps_k || !lists_are_long(training))
        return 1;
    return most > 1 ? split_blocks(tiles, (int64_t)most) : tiles;
}
