/* Gated autoencoders with tied encoders (Rajamanoharan et al., arXiv:2404.16014):
 *
 *   pg = product + b_gate               which latents are active: pg > 0
 *   pm = exp(r) product + b_mag         how much: f = ReLU(pm) where pg > 0
 *   loss = mean |x - y(f)|^2 + mean |x - y'(ReLU(pg))|^2 + lambda mean sum ReLU(pg)
 *
 * where y' holds the decoder, its bias and a skip matrix fixed.  Entries aside are those with
 * pg > 0, and pg as value.  With G and A the dot products of the two residuals' derivatives and
 * decoder rows:
 *
 *   dpm = G where f > 0      dpg = A + lambda/B where pg > 0
 *   dproduct = dpg + exp(r) dpm      dr = sum dpm (pm - b_mag)
 */
#include "step/architecture.h"
#include "step/step.h"

#include <math.h>

/* Of the vectors; the gate's bias is the first. */
enum { GATE, LOG_GAIN, MAGNITUDE };

static const float *vector(const struct training *training, int which)
{
    return training->tensors[ENCODER_BIAS + which].value;
}

static void start(struct training *training)
{
    (void)training;
}

static void prepare(const struct training *training, struct workspace *w)
{
    for (int64_t i = 0; i < own_count(training); i++) {
        w->gain[i] = expf(vector(training, LOG_GAIN)[i]);
        w->threshold[i] = w->floor[i] = 0;
    }
    w->aside_decoded = true;
}

static void scan(const struct training *training, const struct workspace *w, struct codes *piece,
                 const float *pre, int64_t rows, struct range own)
{
    const struct two_lists lists = {
        .gain = w->gain + own.first,
        .bias = vector(training, MAGNITUDE) + own.first,
        .threshold = w->threshold + own.first,
        .gate = vector(training, GATE) + own.first,
        .floor = w->floor + own.first,
    };

    codes_scan_two(piece, pre, &lists, (int32_t)(training->own_latents.first + own.first), rows,
                   own.end - own.first);
}

static double sparsity(const struct workspace *w, int64_t row)
{
    const struct codes *rows = w->rows;
    double sum = 0;

    for (int32_t k = rows->middle[row]; k < rows->start[row + 1]; k++)
        sum += (double)rows->value[k];
    return sum;
}

static void penalise(const struct training *training, struct workspace *w,
                     struct step_report *report)
{
    penalise_sparsity(training, w, report);
    report->auxiliary = w->square_sums[1] / (double)w->batch;
}

/* The active rows of a latent are among those aside, both in ascending order. */
static void differentiate(const struct training *training, struct workspace *w, int64_t latent)
{
    const struct codes *codes = w->columns;
    const int64_t own = own_place(training, latent);
    const float scale = 2 / (float)w->batch;
    const float gain = own >= 0 ? w->gain[own] : 0;
    const float offset = own >= 0 ? vector(training, MAGNITUDE)[own] : 0;
    const float price = (float)(training->recipe.sparsity
                                * recipe_sparsity_share(&training->recipe, training->step)
                                / (double)w->batch);
    double gate = 0, magnitude = 0, log_gain = 0, along = 0, all = 0;
    int64_t active = codes->start[latent];

    for (int64_t k = codes->middle[latent]; k < codes->start[latent + 1]; k++) {
        float g = scale * w->gradient[k] + price;
        gate += (double)g;
        if (active < codes->middle[latent] && codes->index[active] == codes->index[k]) {
            const float value = codes->value[active], m = scale * w->gradient[active];
            codes->value[active++] = scale * value;
            magnitude += (double)m;
            log_gain += (double)m * (double)(value - offset);
            along += (double)value * (double)m;
            g += gain * m;
        }
        w->gradient[k] = g;
        all += (double)g;
    }
    w->along[latent] = along;
    if (own < 0)
        return;
    w->input_sum[own] = all;
    w->vector_gradient[GATE][own] = (float)gate;
    w->vector_gradient[LOG_GAIN][own] = (float)log_gain;
    w->vector_gradient[MAGNITUDE][own] = (float)magnitude;
}

/* Appendix E of the paper: f is JumpReLU of pm, since pg > 0 is pm > b_mag - exp(r) b_gate. */
static void infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    for (int64_t i = 0; i < own_count(training); i++) {
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
    .aside = ASIDE_ROW,
    .start = start,
    .prepare = prepare,
    .scan = scan,
    .sparsity = sparsity,
    .penalise = penalise,
    .differentiate = differentiate,
    .infer = infer,
};
