#include "step/step_memory.h"
#include "step/architecture.h"
#include "step/dense.h"
#include "step/encode.h"
#include "step/residual.h"
#include "step/turns.h"

#include <math.h>

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static double greatest(double a, double b)
{
    return a > b ? a : b;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* The share of a row's pre-activations above `low` when training starts.  The latents' directions
 * are random then: of a row of norm 1 they are spread nearly as a normal distribution of variance
 * 1 / inputs. */
static double first_above(double low, int32_t inputs)
{
    return erfc(low * sqrt(inputs / 2.0)) / 2;
}

/* The same above the bar under which a row's k largest are found, or, for rows that are shorter
 * than others, the next. */
static double first_above_bar(const struct recipe *recipe, struct shape shape)
{
    float bar = FIRST_BAR;

    while (bar > 0 && first_above((double)bar, shape.inputs) < recipe->target_l0 / shape.latents)
        bar = next_bar(bar);
    return first_above((double)next_bar(bar), shape.inputs);
}

/* Entries by row and latent that are found, of dead latents apart.  Gated lists what its gate lets
 * through twice. */
static double first_density(const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = recipe->architecture;

    if (architecture->traits->trains_threshold)
        return first_above(recipe->train.threshold - recipe->train.bandwidth / 2, shape.inputs);
    if (architecture->traits->keeps_k)
        return first_above_bar(recipe, shape);
    return (architecture->aside == ASIDE_ROW ? 2 : 1) * first_above(0, shape.inputs);
}

/* Of a batch, in all turns. */
static double first_entries(const struct recipe *recipe, struct shape shape)
{
    return first_density(recipe, shape) * (double)recipe->train.batch * shape.latents;
}

/* The number of residuals with that of entries aside. */
static int residuals_of(const struct recipe *recipe)
{
    const bool aside = recipe->architecture->aside == ASIDE_ROW || has_auxk(recipe);

    return (recipe->prefixes > 0 ? recipe->prefixes : 1) + aside;
}

/* More, and latents take turns. */
static double most_at_once(const struct recipe *recipe, struct shape shape)
{
    return entries_at_once(recipe, turn_entries(shape));
}

static int kept_at_once(const struct recipe *recipe, bool long_lists)
{
    int count = 0;

    for (int r = 0; r < residuals_of(recipe); r++)
        count += residual_kept_at_once(recipe, r, long_lists);
    return count;
}

/* A turn has as many entries as there may be, unless a single tile has more. */
static struct step_phase phase_in_turns(const struct recipe *recipe, struct shape shape)
{
    const double all = first_entries(recipe, shape);
    const double of_tile = all / (double)split_blocks(shape.latents, LATENT_TILE);
    const double entries = greatest((double)turn_entries(shape), of_tile);

    if (all <= most_at_once(recipe, shape))
        return (struct step_phase){0};
    return (struct step_phase){ residuals_of(recipe), entries, entries, entries };
}

static struct step_phase phase_at_once(const struct recipe *recipe, struct shape shape)
{
    const double all = first_entries(recipe, shape);
    const double entries = least(all, most_at_once(recipe, shape));
    const bool dense = first_density(recipe, shape) > DENSE_ABOVE && all <= entries;

    return (struct step_phase){ dense ? residuals_of(recipe) : kept_at_once(recipe, false),
                                entries, entries, entries };
}

/* Where a number of latents is kept: of so many entries.  Of dead latents half as many again are
 * found as stay.  BatchTopK's active ones stay in the lists until those of all rows are there. */
static struct step_phase phase_of_kept(const struct recipe *recipe, struct shape shape, double kept,
                                       bool long_lists)
{
    const double aside = kept - entries_kept(recipe, 0), active = first_entries(recipe, shape);

    return (struct step_phase){
        .residuals = kept_at_once(recipe, long_lists),
        .found = active + 1.5 * aside,
        .listed = recipe->architecture->cut_batch != NULL ? active + aside : kept,
        .kept = kept,
    };
}

static void phase_add(struct step_phase *to, struct step_phase phase)
{
    to->residuals = (int)most(to->residuals, phase.residuals);
    to->found = greatest(to->found, phase.found);
    to->listed = greatest(to->listed, phase.listed);
    to->kept = greatest(to->kept, phase.kept);
}

/* Can the lists of entries that displace each other be long? */
static bool may_keep_many(const struct recipe *recipe, struct shape shape)
{
    return recipe->architecture->traits->keeps_k
           && entries_kept(recipe, shape.latents) > most_at_once(recipe, shape);
}

static void add_phases(struct step_room *room, const struct recipe *recipe, struct shape shape)
{
    const double all = entries_kept(recipe, shape.latents), most = most_at_once(recipe, shape);

    if (!recipe->architecture->traits->keeps_k) {
        phase_add(&room->while_long, phase_in_turns(recipe, shape));
        phase_add(&room->while_short, phase_at_once(recipe, shape));
        return;
    }
    if (may_keep_many(recipe, shape))
        phase_add(&room->while_long, phase_of_kept(recipe, shape, all, true));
    if (entries_kept(recipe, 0) <= most)
        phase_add(&room->while_short, phase_of_kept(recipe, shape, least(all, most), false));
}

void step_room_add(struct step_room *room, const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = recipe->architecture;
    const int residuals = residuals_of(recipe);
    const int slices = residuals - (architecture->aside == ASIDE_ROW);

    room->batch = most(room->batch, recipe->train.batch);
    room->shape.inputs = (int32_t)most(room->shape.inputs, shape.inputs);
    room->shape.outputs = (int32_t)most(room->shape.outputs, shape.outputs);
    room->shape.latents = (int32_t)most(room->shape.latents, shape.latents);
    room->residuals = (int)most(room->residuals, residuals);
    room->overlaps |= architecture->aside == ASIDE_ROW || has_auxk(recipe);
    room->slices = (int)most(room->slices, slices);
    room->remade |= kept_at_once(recipe, may_keep_many(recipe, shape)) < slices;
    room->dense |= !architecture->traits->keeps_k;
    room->skip |= recipe->skip;
    room->short_tile |= shape.latents % LATENT_TILE != 0;
    add_phases(room, recipe, shape);
    if (recipe->train.precision == PRECISION_BF16)
        room->precision = PRECISION_BF16;
}
