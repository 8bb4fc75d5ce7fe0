/* Autoencoders that keep k latents instead of those above a threshold:
 *
 *   p = ReLU(product + b_enc)      f = the k largest p of each row     (TopK, arXiv:2406.04093)
 *                                  f = the k B largest p of all       (BatchTopK, arXiv:2412.06410)
 *   dpi = G where active
 *
 * Matryoshka autoencoders (arXiv:2503.17547) activate as BatchTopK.  When training is over there is
 * no batch, so both need a threshold: the running mean of the smallest f of each batch.
 *
 * AuxK revives dead latents.  In each row the `auxk_latents` largest p of dead latents are the
 * auxiliary entries.  They reconstruct the error e = x - y, which counts as given:
 *
 *   loss += auxk mean |e - f_aux W_dec|^2 / mean |e - mean e|^2
 *
 * Only values above a lower bound are collected, since smaller ones are unlikely to be among the
 * largest.  It saves time and memory and changes no result: if a value is missing that would have
 * been kept, the bound is lowered and the batch is listed again, which costs as much as a product.
 */
#include "step/plain.h"
#include "step/residuals.h"

#include <math.h>

/* The weight of a batch in the running mean of the smallest f. */
static const double BATCH_WEIGHT = 0.01;

/* The next bound is this share of the smallest value kept.  It falls at once and rises slowly, by
 * this share of the distance. */
static const double BOUND_SHARE = 0.9, BOUND_RISE = 0.1;

static int64_t k_of(const struct training *training)
{
    return llround(training->recipe.target_l0);
}

/* Above the bound at which the search for it ends, or, for rows shorter than others, the next. */
static double first_density(const struct recipe *recipe, struct shape shape)
{
    const double wanted = recipe->target_l0 / shape.latents;
    float bound = CRITERIA_FIRST_BOUND;

    while (bound > 0 && plain_first_above((double)bound, shape.inputs) < wanted)
        bound = criteria_next_bound(bound);
    return plain_first_above((double)criteria_next_bound(bound), shape.inputs);
}

/* Half of the dead latents are above 0 in a row.  Are these more than may stay? */
static bool many_dead(const struct training *training)
{
    return training_dead(training) > 2 * training->recipe.train.auxk_latents;
}

static float auxiliary_bound(const struct training *training, const struct criteria *criteria)
{
    return many_dead(training) ? criteria->bound[SECTION_AUXILIARY] : 0;
}

/* Dead latents are listed as auxiliary ones; no other is above infinity. */
static void prepare(const struct training *training, struct criteria *criteria)
{
    const int64_t first = training->own_latents.first, dead_after = training->recipe.train.dead_after;
    const float bound = auxiliary_bound(training, criteria);

    for (int64_t i = 0; i < training_own_latents(training); i++) {
        const bool dead = training->rows_since_active[first + i] >= dead_after;
        criteria->threshold[i] = criteria->bound[SECTION_ACTIVE];
        criteria->gain[i] = 1;
        criteria->floor[i] = dead ? bound : INFINITY;
    }
    criteria->auxiliary_decoded = architecture_has_auxk(&training->recipe)
                                  && training_dead(training) > 0;
}

static void scan(const struct training *training, const struct criteria *criteria,
                 struct codes *piece, const float *pre, int64_t rows, struct range own)
{
    const float *bias = training->tensors[ENCODER_BIAS].value + own.first;
    const struct two_lists lists = {
        .gain = criteria->gain + own.first,
        .bias = bias,
        .threshold = criteria->threshold + own.first,
        .gate = bias,
        .floor = criteria->floor + own.first,
    };

    if (criteria->auxiliary_decoded)
        codes_scan_two(piece, pre, &lists, (int32_t)(training->own_latents.first + own.first),
                       rows, range_length(own));
    else
        plain_scan(training, criteria, piece, pre, rows, own);
}

/* ---- which entries stay -------------------------------------------------------------- */

/* Cutoffs that leave the k largest entries of each row, from start to end. */
static void keep_of_rows(struct cut *cutoffs, const struct codes *rows, const int32_t *start,
                         const int32_t *end, int64_t k)
{
    #pragma omp parallel for
    for (int64_t row = 0; row < rows->groups; row++)
        cutoffs[row] = select_largest(rows->value, start + row, end + row, 1, k);
}

static void select_auxiliary(const struct training *training, const struct criteria *criteria,
                             const struct codes *rows, struct cut *cutoffs)
{
    if (criteria->auxiliary_decoded)
        keep_of_rows(cutoffs, rows, rows->middle, rows->start + 1, training->recipe.train.auxk_latents);
    else
        select_all(cutoffs, rows->groups);
}

static void select_by_row(const struct training *training, const struct criteria *criteria,
                          const struct codes *rows, struct cut *active, struct cut *auxiliary)
{
    keep_of_rows(active, rows, rows->start, rows->middle, k_of(training));
    select_auxiliary(training, criteria, rows, auxiliary);
}

static void select_by_batch(const struct training *training, const struct criteria *criteria,
                            const struct codes *rows, struct cut *active, struct cut *auxiliary)
{
    const struct cut cutoff = select_largest(rows->value, rows->start, rows->middle, rows->groups,
                                             k_of(training) * rows->groups);

    select_each(active, cutoff, rows->value, rows->start, rows->middle, rows->groups);
    select_auxiliary(training, criteria, rows, auxiliary);
}

/* ---- lower bounds -------------------------------------------------------------------- */

/* Does some row have fewer entries than k, from start to end? */
static bool some_lack(const struct codes *rows, const int32_t *start, const int32_t *end,
                      int64_t k)
{
    for (int64_t row = 0; row < rows->groups; row++)
        if (end[row] - start[row] < k)
            return true;
    return false;
}

static bool batch_lacks(const struct codes *rows, int64_t k)
{
    int64_t actives = 0;

    for (int64_t row = 0; row < rows->groups; row++)
        actives += rows->middle[row] - rows->start[row];
    return actives < k * rows->groups;
}

/* Lower both bounds as far as entries are missing. */
static bool lower(const struct training *training, struct criteria *criteria,
                  const struct codes *rows, bool active_lack)
{
    const bool active = active_lack && criteria->bound[SECTION_ACTIVE] > 0;
    const bool auxiliary = criteria->auxiliary_decoded && auxiliary_bound(training, criteria) > 0
                           && some_lack(rows, rows->middle, rows->start + 1,
                                        training->recipe.train.auxk_latents);

    if (active)
        criteria->bound[SECTION_ACTIVE] = criteria_next_bound(criteria->bound[SECTION_ACTIVE]);
    if (auxiliary)
        criteria->bound[SECTION_AUXILIARY] =
            criteria_next_bound(criteria->bound[SECTION_AUXILIARY]);
    return active || auxiliary;
}

static bool lower_bounds_by_row(const struct training *training, struct criteria *criteria,
                                const struct codes *rows)
{
    return lower(training, criteria, rows,
                 some_lack(rows, rows->start, rows->middle, k_of(training)));
}

static bool lower_bounds_by_batch(const struct training *training, struct criteria *criteria,
                                  const struct codes *rows)
{
    return lower(training, criteria, rows, batch_lacks(rows, k_of(training)));
}

static float smallest_of(const struct codes *rows, const int32_t *start, const int32_t *end)
{
    float smallest = INFINITY;

    for (int64_t row = 0; row < rows->groups; row++)
        for (int64_t k = start[row]; k < end[row]; k++)
            smallest = fminf(smallest, rows->value[k]);
    return smallest;
}

/* Move the next batch's bound, where `smallest` is the smallest value kept of this one. */
static void move_bound(double *bound, double smallest)
{
    const double next = BOUND_SHARE * smallest;
    const bool rises = *bound >= 0 && next > *bound;

    *bound = rises ? *bound + BOUND_RISE * (next - *bound) : next;
}

/* If some row has fewer auxiliary entries than may stay, none can be left out.  A batch with few
 * dead latents says nothing about one with many. */
static void settle_auxiliary(struct training *training, const struct criteria *criteria,
                             const struct codes *rows)
{
    const int32_t *start = rows->middle, *end = rows->start + 1;

    if (!criteria->auxiliary_decoded || !many_dead(training))
        return;
    const bool all = some_lack(rows, start, end, training->recipe.train.auxk_latents);
    move_bound(&training->state.bound[SECTION_AUXILIARY],
               all ? 0 : (double)smallest_of(rows, start, end));
}

static void settle(struct training *training, const struct criteria *criteria,
                   const struct codes *rows, const struct gradients *gradients)
{
    struct architecture_state *state = &training->state;
    const float smallest = smallest_of(rows, rows->start, rows->middle);
    const double weight = training->step == 0 ? 1 : BATCH_WEIGHT;

    (void)gradients;
    settle_auxiliary(training, criteria, rows);
    if (isinf(smallest)) {
        state->bound[SECTION_ACTIVE] = -1;
        return;
    }
    move_bound(&state->bound[SECTION_ACTIVE], (double)smallest);
    state->batch_threshold += weight * ((double)smallest - state->batch_threshold);
}

/* ---- loss ---------------------------------------------------------------------------- */

/* mean |e - mean e|^2 = mean |e|^2 - |mean e|^2. */
static double variance_of_error(const struct training *training, const struct errors *errors)
{
    const double batch = (double)training->batch;
    double square = 0;

    for (int64_t j = 0; j < training->outputs; j++)
        square += pow(errors->columns[j] / batch, 2);
    return errors->squares[0] / batch - square;
}

/* A bound for collecting is no threshold, so none is reported.  Without auxiliary entries there is
 * one residual, and nothing to add. */
static void penalise(const struct training *training, const struct errors *errors,
                     struct penalty *penalty, struct step_report *report)
{
    const double batch = (double)training->batch, variance = variance_of_error(training, errors);

    report->threshold = 0;
    if (!errors->auxiliary || !(variance > 0))
        return;
    report->auxiliary = training->recipe.train.auxk * errors->squares[1] / batch / variance;
    penalty->auxiliary_scale = 2 * training->recipe.train.auxk / (batch * variance);
}

static void penalise_by_batch(const struct training *training, const struct errors *errors,
                              struct penalty *penalty, struct step_report *report)
{
    penalise(training, errors, penalty, report);
    report->threshold = training->state.batch_threshold;
}

static void differentiate(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, struct gradients *gradients,
                          int64_t latent)
{
    const struct codes *codes = &gradients->latents;
    const int64_t own = training_own_place(training, latent), middle = codes->middle[latent];
    const float scale = (float)residuals_scale(training);
    const float auxiliary = (float)penalty->auxiliary_scale;
    double bias = 0, along = 0;

    (void)criteria;
    for (int64_t k = codes->start[latent]; k < codes->start[latent + 1]; k++) {
        const float by_residual = k < middle ? scale : auxiliary;
        const float value = codes->value[k], g = by_residual * gradients->gradient[k];
        gradients->gradient[k] = g;
        codes->value[k] = by_residual * value;
        bias += (double)g;
        along += (double)value * (double)g;
    }
    gradients->along[latent] = along;
    if (own < 0)
        return;
    gradients->input_sum[own] = bias;
    gradients->vector[0][own] = (float)bias;
}

static void infer_by_batch(const struct training *training, float *gain, float *bias,
                           float *threshold)
{
    plain_infer(training, gain, bias, threshold);
    for (int64_t i = 0; i < training_own_latents(training); i++)
        threshold[i] = (float)training->state.batch_threshold;
}

/* What the three have in common. */
#define KEEPS_K                                                                                   \
    .vectors = { "encoder_bias" }, .centred = true, .unit_decoder = true, .decoder_norm = 1,      \
    .first_density = first_density, .prepare = prepare, .settle = settle,                         \
    .differentiate = differentiate

#define KEEPS_K_BY_BATCH                                                                          \
    KEEPS_K, .select = select_by_batch,                                                           \
    .lower_bounds = lower_bounds_by_batch, .penalise = penalise_by_batch, .infer = infer_by_batch

const struct architecture TOPK = {
    KEEPS_K,
    .traits = &ARCHITECTURES[ARCHITECTURE_TOPK],
    .auxiliary = AUXILIARY_REST,
    .scan = scan,
    .select = select_by_row,
    .lower_bounds = lower_bounds_by_row,
    .penalise = penalise,
    .infer = plain_infer,
};

const struct architecture BATCH_TOPK = {
    KEEPS_K_BY_BATCH,
    .traits = &ARCHITECTURES[ARCHITECTURE_BATCH_TOPK],
    .auxiliary = AUXILIARY_REST,
    .scan = scan,
};

/* The recipe has no AuxK for it. */
const struct architecture MATRYOSHKA = {
    KEEPS_K_BY_BATCH,
    .traits = &ARCHITECTURES[ARCHITECTURE_MATRYOSHKA],
    .auxiliary = AUXILIARY_NEAR,
    .scan = plain_scan,
};
