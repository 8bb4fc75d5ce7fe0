#include "step/plain.h"

#include <math.h>

void plain_scan(const struct training *training, const struct criteria *criteria,
                struct codes *piece, const float *pre, int64_t rows, struct range own)
{
    codes_scan(piece, pre, training->tensors[ENCODER_BIAS].value + own.first,
               criteria->threshold + own.first, 0,
               (int32_t)(training->own_latents.first + own.first), rows, range_length(own));
}

void plain_penalise(const struct training *training, const struct penalty *penalty,
                    struct step_report *report)
{
    double sum = 0;

    for (int64_t row = 0; row < training->batch; row++)
        sum += penalty->sparsity[row];
    report->slope = training->recipe.sparsity
                    * recipe_sparsity_share(&training->recipe, training->step);
    report->loss += report->slope * sum / (double)training->batch;
}

double plain_price(const struct training *training)
{
    return training->recipe.sparsity * recipe_sparsity_share(&training->recipe, training->step)
           / (double)training->batch;
}

void plain_infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    for (int64_t i = 0; i < training_own_latents(training); i++) {
        gain[i] = 1;
        bias[i] = training->tensors[ENCODER_BIAS].value[i];
        threshold[i] = 0;
    }
}

double plain_first_above(double low, int32_t inputs)
{
    return erfc(low * sqrt(inputs / 2.0)) / 2;
}
