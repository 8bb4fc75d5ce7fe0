#include "step/step_memory.h"
#include "base/minmax.h"
#include "kernels/slice.h"
#include "step/architecture.h"
#include "step/pass.h"

#include <math.h>

/* Entries of a pass.  It has as many as lists may hold, unless a single tile has more. */
static double entries_of_pass(const struct recipe *recipe, struct shape shape, double all)
{
    const int64_t capacity = training_list_capacity(shape);
    const double most = (double)pass_most_entries(recipe, capacity);
    const double of_tile = all / (double)split_blocks(shape.latents, LATENT_TILE);

    return all <= most ? all : fmax(most, of_tile);
}

/* Dead latents that AuxK keeps of a batch: half of the dead ones are above 0 in a row. */
static double dead_entries(const struct recipe *recipe, struct shape shape)
{
    const double most = fmin((double)recipe->train.auxk_latents, shape.latents / 2.0);

    return architecture_has_auxk(recipe) ? most * (double)recipe->train.batch : 0;
}

static void add_entries(struct step_needs *needs, const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = architecture_of(recipe->architecture);
    const double first = architecture->first_density(recipe, shape)
                         * (double)recipe->train.batch * shape.latents;
    const double dead = dead_entries(recipe, shape);

    if (architecture->traits->keeps_k) {
        /* The lower bounds let in more than is kept: half as many dead entries again. */
        needs->found = fmax(needs->found, first + 1.5 * dead);
        needs->kept = fmax(needs->kept, recipe->target_l0 * (double)recipe->train.batch + dead);
    } else {
        const double entries = entries_of_pass(recipe, shape, first);
        needs->found = fmax(needs->found, entries);
        needs->kept = fmax(needs->kept, entries);
    }
}

void step_needs_add(struct step_needs *needs, const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = architecture_of(recipe->architecture);
    const bool decoded = architecture->auxiliary == AUXILIARY_ROW || architecture_has_auxk(recipe);
    const int groups = recipe->prefixes > 0 ? recipe->prefixes : 1;
    struct shape *widest = &needs->shape;

    needs->batch = max_int64(needs->batch, recipe->train.batch);
    widest->inputs = (int32_t)max_int64(widest->inputs, shape.inputs);
    widest->outputs = (int32_t)max_int64(widest->outputs, shape.outputs);
    widest->latents = (int32_t)max_int64(widest->latents, shape.latents);
    needs->groups = (int)max_int64(needs->groups, groups);
    needs->residuals = (int)max_int64(needs->residuals, groups + decoded);
    needs->overlaps |= decoded;
    needs->dense |= !architecture->traits->keeps_k;
    needs->skip |= recipe->skip;
    needs->short_tile |= shape.latents % LATENT_TILE != 0;
    add_entries(needs, recipe, shape);
    if (recipe->train.precision == PRECISION_BF16)
        needs->precision = PRECISION_BF16;
}

struct step_sizes step_sizes_of(const struct step_needs *needs, int ranks, int threads)
{
    const int64_t batch = needs->batch, latents = needs->shape.latents;
    const int lists = needs->overlaps ? 2 : 1;
    struct step_sizes s = {
        .needs = *needs,
        .ranks = ranks,
        .threads = threads,
        .store = needs->precision == PRECISION_BF16 ? STORE_BF16 : STORE_F32,
        .row_blocks = split_blocks(batch, ROW_BLOCK),
        .column_blocks = split_blocks(needs->shape.outputs, COLUMNS),
        .tiles = split_blocks(latents, LATENT_TILE),
        .entries = lists * batch * latents,
    };

    s.own_column_blocks = split_blocks(s.column_blocks, ranks);
    s.own_tiles = split_blocks(s.tiles, ranks);
    s.own_columns = s.own_column_blocks * COLUMNS;
    s.own_latents = s.own_tiles * LATENT_TILE;
    s.own_entries = lists * batch * min_int64(s.own_latents, latents);
    s.own_share = (double)min_int64(s.own_latents, latents) / (double)latents;
    return s;
}
