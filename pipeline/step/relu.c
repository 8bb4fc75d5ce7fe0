/* ReLU autoencoders with an L1 penalty that counts decoder norms (Anthropic, "Update on how we
 * train SAEs", April 2024):
 *
 *   f = ReLU(W_enc x + b_enc)       penalty = lambda mean over the rows of sum f |W_dec row|
 *
 *   dpi     = G + lambda/B |W_dec row|   where active
 *   dW_dec += lambda/B (sum f) W_dec row / |W_dec row|
 *
 * Decoder rows have any norm.
 */
#include "step/architecture.h"
#include "step/step.h"

#include <math.h>

static void start(struct training *training)
{
    (void)training;
}

static void prepare(const struct training *training, struct workspace *w)
{
    for (int64_t i = 0; i < own_count(training); i++)
        w->threshold[i] = 0;
    w->aside_decoded = false;
}

static double sparsity(const struct workspace *w, int64_t row)
{
    const struct codes *rows = w->rows;
    double sum = 0;

    for (int32_t k = rows->start[row]; k < rows->middle[row]; k++)
        sum += (double)rows->value[k] * sqrt(w->norms[rows->index[k]]);
    return sum;
}

static void differentiate(const struct training *training, struct workspace *w, int64_t latent)
{
    const struct codes *codes = w->columns;
    const int64_t own = own_place(training, latent);
    const double norm = sqrt(w->norms[latent]);
    const double pull = training->recipe.sparsity
                        * recipe_sparsity_share(&training->recipe, training->step)
                        / (double)w->batch;
    const float scale = 2 / (float)w->batch, price = (float)(pull * norm);
    double bias = 0, sum = 0;

    for (int64_t k = codes->start[latent]; k < codes->middle[latent]; k++) {
        const float value = codes->value[k], g = scale * w->gradient[k] + price;
        w->gradient[k] = g;
        codes->value[k] = scale * value;
        bias += (double)g;
        sum += (double)value;
    }
    w->along[latent] = norm > 0 ? -pull * sum / norm : 0;
    if (own < 0)
        return;
    w->input_sum[own] = bias;
    w->vector_gradient[0][own] = (float)bias;
}

const struct architecture RELU_L1 = {
    .traits = &ARCHITECTURES[ARCHITECTURE_RELU_L1],
    .vectors = { "encoder_bias" },
    .decoder_norm = 0.1,
    .aside = ASIDE_NEAR,
    .start = start,
    .prepare = prepare,
    .scan = scan_active,
    .sparsity = sparsity,
    .penalise = penalise_sparsity,
    .differentiate = differentiate,
    .infer = infer_plain,
};
