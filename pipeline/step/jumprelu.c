/* JumpReLU autoencoders (Rajamanoharan et al., arXiv:2407.14435) as Gemma Scope trains them
 * (Lieberum et al., arXiv:2408.05147, section 3.2):
 *
 *   pi = product + b_enc        f = pi where pi > theta, else 0
 *   penalty = lambda L0, or one of the recipe's forms of a target
 *
 *   dpi    = G where active
 *   dtheta = -1/eps sum over |pi - theta| < eps/2 of (theta G + slope/B)
 *
 * eps is the bandwidth of the straight-through estimator, slope the derivative of the penalty
 * by the row's L0.  Auxiliary entries are those less than eps/2 below their threshold.
 *
 * Gemma Scope 2 (McDougall et al., 2025) adds a penalty on latents that are often active; here
 * strength * sum over latents of share^2 / frequency, share being that of the rows on which
 * the latent is active.  The estimator gives it the slope 2 strength * share / frequency.
 */
#include "step/plain.h"

#include <math.h>

/* Does Adam move the thresholds' logarithms? */
static bool in_logarithms(const struct recipe *recipe)
{
    return recipe->train.threshold_form == THRESHOLD_LOG;
}

static void start(struct training *training)
{
    const double first = training->recipe.train.threshold;
    const double threshold = in_logarithms(&training->recipe) ? log(first) : first;

    for (int64_t i = 0; i < training_own_latents(training); i++)
        training->tensors[THRESHOLD].value[i] = (float)threshold;
}

static double first_density(const struct recipe *recipe, struct shape shape)
{
    return plain_first_above(recipe->train.threshold - recipe->train.bandwidth / 2, shape.inputs);
}

/* The threshold itself, whichever form is trained. */
static float threshold_of(const struct training *training, int64_t own)
{
    const float trained = training->tensors[THRESHOLD].value[own];

    return in_logarithms(&training->recipe) ? expf(trained) : trained;
}

static void prepare(const struct training *training, struct criteria *criteria)
{
    for (int64_t i = 0; i < training_own_latents(training); i++)
        criteria->threshold[i] = threshold_of(training, i);
    criteria->auxiliary_decoded = false;
}

static void scan(const struct training *training, const struct criteria *criteria,
                 struct codes *piece, const float *pre, int64_t rows, struct range own)
{
    codes_scan(piece, pre, training->tensors[ENCODER_BIAS].value + own.first,
               criteria->threshold + own.first, (float)(training->recipe.train.bandwidth / 2),
               (int32_t)(training->own_latents.first + own.first), rows, range_length(own));
}

/* The penalty on L0, and each row's slope. */
static double penalise_l0(const struct training *training, struct penalty *terms,
                          struct step_report *report)
{
    const struct recipe *recipe = &training->recipe;
    const double share = recipe_sparsity_share(recipe, report->step), target = recipe->target_l0;
    const double strength = share * recipe->train.target_strength, off = report->l0 / target - 1;
    const bool by_row = target > 0 && recipe->train.target_form == TARGET_QUADRATIC;
    double penalty = 0;

    report->slope = !(target > 0) ? share * recipe->sparsity
                  : by_row ? strength * off : strength * 2 * off / target;
    for (int64_t row = 0; row < training->batch; row++) {
        const double over = terms->sparsity[row] - target;
        terms->slope[row] = by_row ? strength * over / target : report->slope;
        penalty += strength * over * over / (2 * target * (double)training->batch);
    }
    return by_row ? penalty : target > 0 ? strength * off * off : report->slope * report->l0;
}

static double share_of(const struct training *training, const struct penalty *penalty,
                       int64_t latent)
{
    return (double)penalty->fired[latent] / (double)training->batch;
}

/* Derivative of the frequency penalty by a latent's share. */
static double frequency_slope(const struct training *training, const struct penalty *penalty,
                              int64_t latent)
{
    const struct recipe *recipe = &training->recipe;

    return recipe->train.frequency_strength > 0
        ? recipe_sparsity_share(recipe, training->step) * 2 * recipe->train.frequency_strength
          * share_of(training, penalty, latent) / recipe->train.frequency
        : 0;
}

static void penalise(const struct training *training, const struct errors *errors,
                     struct penalty *penalty, struct step_report *report)
{
    (void)errors;
    report->loss += penalise_l0(training, penalty, report);
    for (int64_t i = 0; i < training->latents; i++)
        report->loss += frequency_slope(training, penalty, i) * share_of(training, penalty, i) / 2;
}

static void differentiate(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, struct gradients *gradients,
                          int64_t latent)
{
    const struct codes *codes = &gradients->latents;
    const int64_t own = training_own_place(training, latent), middle = codes->middle[latent];
    const float scale = 2 / (float)training->batch;
    const float half = (float)(training->recipe.train.bandwidth / 2);
    const float threshold = own >= 0 ? criteria->threshold[own] : 0;
    double bias = 0, along = 0, window = 0, slope = 0;
    int64_t in_window = codes->start[latent + 1] - middle;

    for (int64_t k = codes->start[latent]; k < middle; k++) {
        const float value = codes->value[k], g = scale * gradients->gradient[k];
        const bool inside = value - threshold < half;
        gradients->gradient[k] = g;
        codes->value[k] = scale * value;
        bias += (double)g;
        along += (double)value * (double)g;
        window += inside ? (double)g : 0;
        slope += inside ? penalty->slope[codes->index[k]] : 0;
        in_window += inside;
    }
    for (int64_t k = middle; k < codes->start[latent + 1]; k++) {
        window += (double)(scale * gradients->gradient[k]);
        slope += penalty->slope[codes->index[k]];
    }
    gradients->along[latent] = along;
    if (own < 0)
        return;
    slope += frequency_slope(training, penalty, latent) * (double)in_window;
    const double by_threshold = -((double)threshold * window + slope / (double)training->batch)
                                / training->recipe.train.bandwidth;
    gradients->in_window[own] = (int32_t)in_window;
    gradients->input_sum[own] = bias;
    gradients->vector[0][own] = (float)bias;
    gradients->vector[1][own] =
        (float)(in_logarithms(&training->recipe) ? by_threshold * (double)threshold : by_threshold);
}

/* Below 0 the released form, f = ReLU(pi) where pi > theta, would be another function. */
static void settle(struct training *training, const struct criteria *criteria,
                   const struct codes *rows, const struct gradients *gradients)
{
    float *threshold = training->tensors[THRESHOLD].value;
    int64_t in_window = 0;

    (void)criteria;
    (void)rows;
    for (int64_t i = 0; i < training_own_latents(training); i++) {
        if (!in_logarithms(&training->recipe))
            threshold[i] = fmaxf(threshold[i], 0);
        in_window += gradients->in_window[i];
    }
    training->state.in_window = in_window;
}

static void infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    plain_infer(training, gain, bias, threshold);
    for (int64_t i = 0; i < training_own_latents(training); i++)
        threshold[i] = threshold_of(training, i);
}

const struct architecture JUMPRELU = {
    .traits = &ARCHITECTURES[ARCHITECTURE_JUMPRELU],
    .vectors = { "encoder_bias", "threshold" },
    .centred = true,
    .unit_decoder = true,
    .decoder_norm = 1,
    .auxiliary = AUXILIARY_NEAR,
    .start = start,
    .first_density = first_density,
    .prepare = prepare,
    .scan = scan,
    .penalise = penalise,
    .differentiate = differentiate,
    .settle = settle,
    .infer = infer,
};
