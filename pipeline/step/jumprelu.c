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
 * by the row's L0.  Entries aside are those less than eps/2 below their threshold.
 *
 * Gemma Scope 2 (McDougall et al., 2025) adds a penalty on latents that are often active; here
 * strength * sum over latents of share^2 / frequency, share being that of the rows on which
 * the latent is active.  The estimator gives it the slope 2 strength * share / frequency.
 */
#include "step/architecture.h"
#include "step/step.h"

#include <math.h>

/* Does Adam move the thresholds' logarithms? */
static bool in_logarithms(const struct recipe *recipe)
{
    return recipe->train.threshold_form == THRESHOLD_LOG;
}

static void start(struct training *training)
{
    const struct recipe *recipe = &training->recipe;
    const double first = recipe->train.threshold;
    const double threshold = in_logarithms(recipe) ? log(first) : first;

    for (int64_t i = 0; i < own_count(training); i++)
        training->tensors[THRESHOLD].value[i] = (float)threshold;
}

/* The threshold itself, whichever form is trained. */
static float threshold_of(const struct training *training, int64_t own)
{
    const float trained = training->tensors[THRESHOLD].value[own];

    return in_logarithms(&training->recipe) ? expf(trained) : trained;
}

static void prepare(const struct training *training, struct workspace *w)
{
    for (int64_t i = 0; i < own_count(training); i++)
        w->threshold[i] = threshold_of(training, i);
    w->aside_decoded = false;
}

static void scan(const struct training *training, const struct workspace *w, struct codes *piece,
                 const float *pre, int64_t rows, struct range own)
{
    codes_scan(piece, pre, training->tensors[ENCODER_BIAS].value + own.first,
               w->threshold + own.first, (float)(training->recipe.train.bandwidth / 2),
               (int32_t)(training->own_latents.first + own.first), rows, own.end - own.first);
}

/* The penalty on L0, and each row's slope. */
static double penalise_l0(const struct recipe *recipe, struct workspace *w,
                          struct step_report *report)
{
    const double share = recipe_sparsity_share(recipe, report->step), target = recipe->target_l0;
    const double strength = share * recipe->train.target_strength, off = report->l0 / target - 1;
    const bool by_row = target > 0 && recipe->train.target_form == TARGET_QUADRATIC;
    double penalty = 0;

    report->slope = !(target > 0) ? share * recipe->sparsity
                  : by_row ? strength * off : strength * 2 * off / target;
    for (int64_t row = 0; row < w->batch; row++) {
        const double over = w->sparsity[row] - target;
        w->slope[row] = by_row ? strength * over / target : report->slope;
        penalty += strength * over * over / (2 * target * (double)w->batch);
    }
    return by_row ? penalty : target > 0 ? strength * off * off : report->slope * report->l0;
}

static double share_of(const struct workspace *w, int64_t latent)
{
    return (double)w->fired[latent] / (double)w->batch;
}

/* Derivative of the frequency penalty by a latent's share. */
static double frequency_slope(const struct training *training, const struct workspace *w,
                              int64_t latent)
{
    const struct recipe *recipe = &training->recipe;

    return recipe->train.frequency_strength > 0
        ? recipe_sparsity_share(recipe, training->step) * 2 * recipe->train.frequency_strength
          * share_of(w, latent) / recipe->train.frequency
        : 0;
}

static void penalise(const struct training *training, struct workspace *w,
                     struct step_report *report)
{
    report->loss += penalise_l0(&training->recipe, w, report);
    for (int64_t i = 0; i < training->latents; i++)
        report->loss += frequency_slope(training, w, i) * share_of(w, i) / 2;
}

static void differentiate(const struct training *training, struct workspace *w, int64_t latent)
{
    const struct codes *codes = w->columns;
    const int64_t own = own_place(training, latent), middle = codes->middle[latent];
    const float scale = 2 / (float)w->batch, half = (float)(training->recipe.train.bandwidth / 2);
    const float threshold = own >= 0 ? w->threshold[own] : 0;
    double bias = 0, along = 0, window = 0, slope = 0;
    int64_t in_window = codes->start[latent + 1] - middle;

    for (int64_t k = codes->start[latent]; k < middle; k++) {
        const float value = codes->value[k], g = scale * w->gradient[k];
        const bool inside = value - threshold < half;
        w->gradient[k] = g;
        codes->value[k] = scale * value;
        bias += (double)g;
        along += (double)value * (double)g;
        window += inside ? (double)g : 0;
        slope += inside ? w->slope[codes->index[k]] : 0;
        in_window += inside;
    }
    for (int64_t k = middle; k < codes->start[latent + 1]; k++) {
        window += (double)(scale * w->gradient[k]);
        slope += w->slope[codes->index[k]];
    }
    w->along[latent] = along;
    if (own < 0)
        return;
    slope += frequency_slope(training, w, latent) * (double)in_window;
    const double by_threshold = -((double)threshold * window + slope / (double)w->batch)
                                / training->recipe.train.bandwidth;
    w->in_window[own] = (int32_t)in_window;
    w->input_sum[own] = bias;
    w->vector_gradient[0][own] = (float)bias;
    w->vector_gradient[1][own] =
        (float)(in_logarithms(&training->recipe) ? by_threshold * (double)threshold : by_threshold);
}

/* Below 0 the released form, f = ReLU(pi) where pi > theta, would be another function. */
static void settle(struct training *training, const struct workspace *w)
{
    float *threshold = training->tensors[THRESHOLD].value;

    (void)w;
    for (int64_t i = 0; i < own_count(training) && !in_logarithms(&training->recipe); i++)
        threshold[i] = fmaxf(threshold[i], 0);
}

static void infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    infer_plain(training, gain, bias, threshold);
    for (int64_t i = 0; i < own_count(training); i++)
        threshold[i] = threshold_of(training, i);
}

const struct architecture JUMPRELU = {
    .traits = &ARCHITECTURES[ARCHITECTURE_JUMPRELU],
    .vectors = { "encoder_bias", "threshold" },
    .centred = true,
    .unit_decoder = true,
    .decoder_norm = 1,
    .aside = ASIDE_NEAR,
    .start = start,
    .prepare = prepare,
    .scan = scan,
    .penalise = penalise,
    .differentiate = differentiate,
    .settle = settle,
    .infer = infer,
};
