#include "step/architecture.h"
#include "step/step.h"

const struct architecture *architecture_of(enum architecture_id id)
{
    static const struct architecture *const ALL[] = {
#define ARCHITECTURE(id, name, meaning, ...) [ARCHITECTURE_##id] = &id,
#include "suite/architectures.def"
    };

    return ALL[id];
}

void scan_active(const struct training *training, const struct workspace *workspace,
                 struct codes *piece, const float *pre, int64_t rows, struct range own)
{
    codes_scan(piece, pre, training->tensors[ENCODER_BIAS].value + own.first,
               workspace->threshold + own.first, 0,
               (int32_t)(training->own_latents.first + own.first), rows, own.end - own.first);
}

void penalise_sparsity(const struct training *training, struct workspace *workspace,
                       struct step_report *report)
{
    double sum = 0;

    for (int64_t row = 0; row < workspace->batch; row++)
        sum += workspace->sparsity[row];
    report->slope = training->recipe.sparsity
                    * recipe_sparsity_share(&training->recipe, report->step);
    report->loss += report->slope * sum / (double)workspace->batch;
}

void infer_plain(const struct training *training, float *gain, float *bias, float *threshold)
{
    for (int64_t i = 0; i < own_count(training); i++) {
        gain[i] = 1;
        bias[i] = training->tensors[ENCODER_BIAS].value[i];
        threshold[i] = 0;
    }
}
