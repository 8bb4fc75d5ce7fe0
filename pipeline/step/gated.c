/* Gated autoencoders with tied encoders (Rajamanoharan et al., arXiv:2404.16014):
 *
 *   pg = product + b_gate               which latents are active: pg > 0
 *   pm = exp(r) product + b_mag         how much: f = ReLU(pm) where pg > 0
 *   loss = mean |x - y(f)|^2 + mean |x - y'(ReLU(pg))|^2 + lambda mean sum ReLU(pg)
 *
 * where y' holds the decoder, its bias and a skip matrix fixed.  Auxiliary entries are those with
 * pg > 0; their value is pg.  With G and A the dot products of the two residuals' derivatives and
 * decoder rows:
 *
 *   dpm = G where f > 0      dpg = A + lambda/B where pg > 0
 *   dproduct = dpg + exp(r) dpm      dr = sum dpm (pm - b_mag)
 */
#include "step/plain.h"

#include <math.h>

/* Its vectors; the gate's bias is the first. */
enum { GATE, LOG_GAIN, MAGNITUDE };

static const float *vector(const struct training *training, int which)
{
    return training->tensors[ENCODER_BIAS + which].value;
}

/* A latent whose gate is open may be listed twice. */
static double first_density(const struct recipe *recipe, struct shape shape)
{
    (void)recipe;
    return 2 * plain_first_above(0, shape.inputs);
}

static void prepare(const struct training *training, struct criteria *criteria)
{
    for (int64_t i = 0; i < training_own_latents(training); i++) {
        criteria->gain[i] = expf(vector(training, LOG_GAIN)[i]);
        criteria->threshold[i] = criteria->floor[i] = 0;
    }
    criteria->auxiliary_decoded = true;
}

static void scan(const struct training *training, const struct criteria *criteria,
                 struct codes *piece, const float *pre, int64_t rows, struct range own)
{
    const struct two_lists lists = {
        .gain = criteria->gain + own.first,
        .bias = vector(training, MAGNITUDE) + own.first,
        .threshold = criteria->threshold + own.first,
        .gate = vector(training, GATE) + own.first,
        .floor = criteria->floor + own.first,
    };

    codes_scan_two(piece, pre, &lists, (int32_t)(training->own_latents.first + own.first), rows,
                   range_length(own));
}

static double sparsity(const struct codes *rows, int64_t row, const double *norms)
{
    double sum = 0;

    (void)norms;
    for (int32_t k = rows->middle[row]; k < rows->start[row + 1]; k++)
        sum += (double)rows->value[k];
    return sum;
}

static void penalise(const struct training *training, const struct errors *errors,
                     struct penalty *penalty, struct step_report *report)
{
    plain_penalise(training, penalty, report);
    report->auxiliary = errors->squares[1] / (double)training->batch;
}

/* The active rows of a latent are among its auxiliary ones, both in ascending order. */
static void differentiate(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, struct gradients *gradients,
                          int64_t latent)
{
    const struct codes *codes = &gradients->latents;
    const int64_t own = training_own_place(training, latent);
    const float scale = 2 / (float)training->batch;
    const float gain = own >= 0 ? criteria->gain[own] : 0;
    const float offset = own >= 0 ? vector(training, MAGNITUDE)[own] : 0;
    const float price = (float)plain_price(training);
    double gate = 0, magnitude = 0, log_gain = 0, along = 0, all = 0;
    int64_t active = codes->start[latent];

    (void)penalty;
    for (int64_t k = codes->middle[latent]; k < codes->start[latent + 1]; k++) {
        float g = scale * gradients->gradient[k] + price;
        gate += (double)g;
        if (active < codes->middle[latent] && codes->index[active] == codes->index[k]) {
            const float value = codes->value[active], m = scale * gradients->gradient[active];
            codes->value[active++] = scale * value;
            magnitude += (double)m;
            log_gain += (double)m * (double)(value - offset);
            along += (double)value * (double)m;
            g += gain * m;
        }
        gradients->gradient[k] = g;
        all += (double)g;
    }
    gradients->along[latent] = along;
    if (own < 0)
        return;
    gradients->input_sum[own] = all;
    gradients->vector[GATE][own] = (float)gate;
    gradients->vector[LOG_GAIN][own] = (float)log_gain;
    gradients->vector[MAGNITUDE][own] = (float)magnitude;
}

/* Appendix E of the paper: f is JumpReLU of pm, since pg > 0 is pm > b_mag - exp(r) b_gate. */
static void infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    for (int64_t i = 0; i < training_own_latents(training); i++) {
        gain[i] = expf(vector(training, LOG_GAIN)[i]);
        bias[i] = vector(training, MAGNITUDE)[i];
        threshold[i] = bias[i] - gain[i] * vector(training, GATE)[i];
    }
}

const struct architecture GATED = {
    .traits = &ARCHITECTURES[ARCHITECTURE_GATED],
    .vectors = { "gate_bias", "log_gain", "magnitude_bias" },
    .centred = true,
    .unit_decoder = true,
    .decoder_norm = 1,
    .auxiliary = AUXILIARY_ROW,
    .first_density = first_density,
    .prepare = prepare,
    .scan = scan,
    .sparsity = sparsity,
    .penalise = penalise,
    .differentiate = differentiate,
    .infer = infer,
};
