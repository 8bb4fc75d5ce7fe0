#include "step/keeps_k.h"
#include "step/residuals.h"

#include <math.h>

/* The weight of a batch in the running mean of the smallest f. */
static const double BATCH_WEIGHT = 0.01;

/* The next bound is this share of the smallest value kept.  It falls at once and rises slowly, by
 * this share of the distance. */
static const double BOUND_SHARE = 0.9, BOUND_RISE = 0.1;

int64_t keeps_k_count(const struct training *training)
{
    return llround(training->recipe.target_l0);
}

/* Above the bound at which the search for it ends, or, for rows shorter than others, the next. */
double keeps_k_first_density(const struct recipe *recipe, struct shape shape)
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
void keeps_k_prepare(const struct training *training, struct criteria *criteria)
{
    const int64_t first = training->own_latents.first;
    const int64_t dead_after = training->recipe.train.dead_after;
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

void keeps_k_scan(const struct training *training, const struct criteria *criteria,
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

void keeps_k_of_rows(struct cutoff *cutoffs, const struct codes *rows, const int32_t *start,
                     const int32_t *end, int64_t k)
{
    #pragma omp parallel for
    for (int64_t row = 0; row < rows->groups; row++)
        cutoffs[row] = select_largest(rows->value, start + row, end + row, 1, k);
}

void keeps_k_of_dead(const struct training *training, const struct criteria *criteria,
                     const struct codes *rows, struct cutoff *cutoffs)
{
    if (criteria->auxiliary_decoded)
        keeps_k_of_rows(cutoffs, rows, rows->middle, rows->start + 1,
                        training->recipe.train.auxk_latents);
    else
        select_all(cutoffs, rows->groups);
}

/* ---- lower bounds -------------------------------------------------------------------- */

bool keeps_k_lacks(const struct codes *rows, const int32_t *start, const int32_t *end, int64_t k)
{
    for (int64_t row = 0; row < rows->groups; row++)
        if (end[row] - start[row] < k)
            return true;
    return false;
}

bool keeps_k_lower_bounds(const struct training *training, struct criteria *criteria,
                          const struct codes *rows, bool lack)
{
    const bool active = lack && criteria->bound[SECTION_ACTIVE] > 0;
    const bool auxiliary = criteria->auxiliary_decoded && auxiliary_bound(training, criteria) > 0
                           && keeps_k_lacks(rows, rows->middle, rows->start + 1,
                                            training->recipe.train.auxk_latents);

    if (active)
        criteria->bound[SECTION_ACTIVE] = criteria_next_bound(criteria->bound[SECTION_ACTIVE]);
    if (auxiliary)
        criteria->bound[SECTION_AUXILIARY] =
            criteria_next_bound(criteria->bound[SECTION_AUXILIARY]);
    return active || auxiliary;
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
    const bool all = keeps_k_lacks(rows, start, end, training->recipe.train.auxk_latents);
    move_bound(&training->state.bound[SECTION_AUXILIARY],
               all ? 0 : (double)smallest_of(rows, start, end));
}

void keeps_k_settle(struct training *training, const struct criteria *criteria,
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
void keeps_k_penalise(const struct training *training, const struct errors *errors,
                      struct penalty *penalty, struct step_report *report)
{
    const double batch = (double)training->batch, variance = variance_of_error(training, errors);

    report->threshold = 0;
    if (!errors->auxiliary || !(variance > 0))
        return;
    report->auxiliary = training->recipe.train.auxk * errors->squares[1] / batch / variance;
    penalty->auxiliary_scale = 2 * training->recipe.train.auxk / (batch * variance);
}

void keeps_k_differentiate(const struct training *training, const struct criteria *criteria,
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
