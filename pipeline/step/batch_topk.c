/* BatchTopK autoencoders (Bussmann et al., arXiv:2412.06410): f is the k B largest p of all rows of
 * a batch (keeps_k.h).  When training is over there is no batch.  Then the running mean of the
 * smallest f of each batch is the threshold.
 */
#include "step/batch_topk.h"

void batch_topk_select(const struct training *training, const struct criteria *criteria,
                       const struct codes *rows, struct cutoff *active, struct cutoff *auxiliary)
{
    const struct cutoff cutoff = select_largest(rows->value, rows->start, rows->middle,
                                                rows->groups,
                                                keeps_k_count(training) * rows->groups);

    select_each(active, cutoff, rows->value, rows->start, rows->middle, rows->groups);
    keeps_k_of_dead(training, criteria, rows, auxiliary);
}

bool batch_topk_lower_bounds(const struct training *training, struct criteria *criteria,
                             const struct codes *rows)
{
    int64_t actives = 0;

    for (int64_t row = 0; row < rows->groups; row++)
        actives += rows->middle[row] - rows->start[row];
    return keeps_k_lower_bounds(training, criteria, rows,
                                actives < keeps_k_count(training) * rows->groups);
}

void batch_topk_penalise(const struct training *training, const struct errors *errors,
                         struct penalty *penalty, struct step_report *report)
{
    keeps_k_penalise(training, errors, penalty, report);
    report->threshold = training->state.batch_threshold;
}

void batch_topk_infer(const struct training *training, float *gain, float *bias, float *threshold)
{
    plain_infer(training, gain, bias, threshold);
    for (int64_t i = 0; i < training_own_latents(training); i++)
        threshold[i] = (float)training->state.batch_threshold;
}

const struct architecture BATCH_TOPK = {
    KEEPS_K_OF_BATCH,
    .traits = &ARCHITECTURES[ARCHITECTURE_BATCH_TOPK],
    .auxiliary = AUXILIARY_REST,
    .scan = keeps_k_scan,
};
