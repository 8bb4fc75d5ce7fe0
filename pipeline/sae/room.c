#include "sae/room.h"
#include "sae/architecture.h"
#include "sae/dense.h"
#include "sae/encode.h"
#include "sae/residual.h"
#include "sae/turns.h"

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

static bool has_auxk(const struct recipe *recipe)
{
    return recipe->architecture->aside == ASIDE_REST && recipe->auxk > 0;
}

/* Entries by row and latent.  Gated lists what its gate lets through twice.  Of dead latents AuxK
 * lists half as many again as it keeps, if so many are dead. */
static double first_density(const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = recipe->architecture;

    if (architecture == &JUMPRELU)
        return first_above(recipe->threshold - recipe->bandwidth / 2, shape.inputs);
    if (architecture->top_k) {
        const double aside = has_auxk(recipe) ? 1.5 * (double)recipe->auxk_latents : 0;
        return first_above_bar(recipe, shape) + least(aside / shape.latents, 0.5);
    }
    return (architecture->aside == ASIDE_ROW ? 2 : 1) * first_above(0, shape.inputs);
}

/* Entries of a batch in all turns. */
static double first_entries(const struct recipe *recipe, struct shape shape)
{
    return first_density(recipe, shape) * (double)recipe->batch * shape.latents;
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
    return (double)entries_at_once(recipe, turn_entries(shape));
}

/* While latents take turns a turn has as many entries as there may be, unless a single tile has
 * more. */
static struct step_phase phase_in_turns(const struct recipe *recipe, struct shape shape)
{
    const double all = first_entries(recipe, shape);
    const double of_tile = all / (double)split_blocks(shape.latents, LATENT_TILE);

    if (recipe->architecture->select != NULL || all <= most_at_once(recipe, shape))
        return (struct step_phase){0};
    const double listed = greatest((double)turn_entries(shape), of_tile);
    return (struct step_phase){ residuals_of(recipe), listed, listed };
}

static struct step_phase phase_at_once(const struct recipe *recipe, struct shape shape)
{
    const double all = first_entries(recipe, shape), most = most_at_once(recipe, shape);
    const double aside = has_auxk(recipe) ? (double)recipe->auxk_latents : 0;
    const bool all_kept = first_density(recipe, shape) > DENSE_ABOVE && all <= most;
    struct step_phase phase = { .listed = all > most ? most : all };

    phase.kept = phase.listed;
    if (recipe->architecture->select != NULL) {
        phase.listed = all;
        phase.kept = (recipe->target_l0 + aside) * (double)recipe->batch;
    }
    for (int r = 0; r < residuals_of(recipe); r++)
        phase.residuals += all_kept || residual_kept_at_once(recipe, r);
    return phase;
}

static void phase_add(struct step_phase *to, struct step_phase phase)
{
    to->residuals = (int)most(to->residuals, phase.residuals);
    to->listed = greatest(to->listed, phase.listed);
    to->kept = greatest(to->kept, phase.kept);
}

void step_room_add(struct step_room *room, const struct recipe *recipe, struct shape shape)
{
    const struct architecture *architecture = recipe->architecture;
    const int residuals = residuals_of(recipe);

    room->batch = most(room->batch, recipe->batch);
    room->shape.inputs = (int32_t)most(room->shape.inputs, shape.inputs);
    room->shape.outputs = (int32_t)most(room->shape.outputs, shape.outputs);
    room->shape.latents = (int32_t)most(room->shape.latents, shape.latents);
    room->residuals = (int)most(room->residuals, residuals);
    room->overlaps |= architecture->aside == ASIDE_ROW || has_auxk(recipe);
    room->slices = (int)most(room->slices, residuals - (architecture->aside == ASIDE_ROW));
    room->remade |= !residual_kept_at_once(recipe, 0);
    room->dense |= architecture->select == NULL;
    room->skip |= recipe->skip;
    room->short_tile |= shape.latents % LATENT_TILE != 0;
    phase_add(&room->in_turns, phase_in_turns(recipe, shape));
    phase_add(&room->at_once, phase_at_once(recipe, shape));
    if (recipe->precision == PRECISION_BF16)
        room->precision = PRECISION_BF16;
}
