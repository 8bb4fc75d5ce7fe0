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
#include "step/plain.h"

#include <math.h>

static double first_density(const struct recipe *recipe, struct shape shape)
{
    (void)recipe;
    return plain_first_above(0, shape.inputs);
}

static void prepare(const struct training *training, struct criteria *criteria)
{
    for (int64_t i = 0; i < training_own_latents(training); i++)
        criteria->threshold[i] = 0;
    criteria->auxiliary_decoded = false;
}

static double sparsity(const struct codes *rows, int64_t row, const double *norms)
{
    double sum = 0;

    for (int32_t k = rows->start[row]; k < rows->middle[row]; k++)
        sum += (double)rows->value[k] * sqrt(norms[rows->index[k]]);
    return sum;
}

static void penalise(const struct training *training, const struct errors *errors,
                     struct penalty *penalty, struct step_report *report)
{
    (void)errors;
    plain_penalise(training, penalty, report);
}

static void differentiate(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, struct gradients *gradients,
                          int64_t latent)
{
    const struct codes *codes = &gradients->latents;
    const int64_t own = training_own_place(training, latent);
    const double norm = sqrt(penalty->decoder_norms[latent]), pull = plain_price(training);
    const float scale = 2 / (float)training->batch, price = (float)(pull * norm);
    double bias = 0, sum = 0;

    (void)criteria;
    for (int64_t k = codes->start[latent]; k < codes->middle[latent]; k++) {
        const float value = codes->value[k], g = scale * gradients->gradient[k] + price;
        gradients->gradient[k] = g;
        codes->value[k] = scale * value;
        bias += (double)g;
        sum += (double)value;
    }
    gradients->along[latent] = norm > 0 ? -pull * sum / norm : 0;
    if (own < 0)
        return;
    gradients->input_sum[own] = bias;
    gradients->vector[0][own] = (float)bias;
}

const struct architecture RELU_L1 = {
    .traits = &ARCHITECTURES[ARCHITECTURE_RELU_L1],
    .vectors = { "encoder_bias" },
    .decoder_norm = 0.1,
    .auxiliary = AUXILIARY_NEAR,
    .first_density = first_density,
    .prepare = prepare,
    .scan = plain_scan,
    .sparsity = sparsity,
    .penalise = penalise,
    .differentiate = differentiate,
    .infer = plain_infer,
};
